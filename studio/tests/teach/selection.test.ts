import { expect, test } from "vitest";
import { Selection } from "../../src/teach/selection";

const IDS = ["a", "b", "c", "d", "e"];

test("a range goes from the last picture to this one, either way, within a class", () => {
  const selection = new Selection();
  selection.pick("cat", IDS, 3, false);
  selection.pick("cat", IDS, 1, true);
  expect([...selection.chosen.value.keys()].sort()).toEqual(["b", "c", "d"]);
  selection.pick("cat", IDS, 4, true);
  expect([...selection.chosen.value.keys()].sort()).toEqual(["b", "c", "d", "e"]);
  selection.pick("dog", ["x", "y"], 1, true);
  expect(selection.chosen.value.get("y")).toBe("dog");
  expect(selection.has("x")).toBe(false);
});

test("a second click gives a picture up", () => {
  const selection = new Selection();
  selection.pick("cat", IDS, 0, false);
  selection.pick("cat", IDS, 0, false);
  expect(selection.chosen.value.size).toBe(0);
});

test("pictures that there are no more are not chosen", () => {
  const selection = new Selection();
  selection.all("cat", IDS);
  selection.keep((id) => id !== "c");
  expect(selection.has("c")).toBe(false);
  expect(selection.chosen.value.size).toBe(4);
});
