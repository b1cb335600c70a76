import { expect, test } from "vitest";
import { asProblem, problemOf } from "../src/api/problem";

test("a problem document says its kind, its detail and the files at fault", () => {
  const files = [{ file: "a.jpg", reason: "is no image" }];
  const problem = problemOf(422, {
    type: "https://x/problems/invalid-image",
    detail: "No.",
    files,
  });
  expect([problem.kind, problem.message, problem.files]).toEqual(["invalid-image", "No.", files]);
});

test.each([null, "<html>", [], 3, { detail: [{ msg: "x" }] }])(
  "an answer of %s that is no problem document is still a problem with its status",
  (body) => {
    const problem = problemOf(502, body);
    expect([problem.status, problem.message]).toEqual([502, "HTTP 502"]);
  },
);

test("what had no answer says so, and a defect is told apart", () => {
  expect(asProblem(new TypeError("Failed to fetch")).status).toBe(0);
  expect(asProblem(new RangeError("x")).status).toBe(-1);
});
