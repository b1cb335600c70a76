import { expect, test } from "vitest";
import { en } from "../src/texts/en";
import { chosen } from "../src/texts/texts";

test("texts are of the first language that there are texts in", () => {
  expect(chosen(["xx", "en-GB"])).toBe(en);
  expect(chosen([])).toBe(en);
});

test("numbers of things are said as people say them", () => {
  expect([0, 1, 2, 10_000].map(en.app.pictures)).toEqual([
    "0 pictures",
    "1 picture",
    "2 pictures",
    "10,000 pictures",
  ]);
});
