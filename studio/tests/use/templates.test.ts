import { expect, test } from "vitest";
import { templatesOf } from "../../src/use/templates";

test("templates are the lines that hold something", () => {
  expect(templatesOf(" a {}.\n\n  a photo of {}. \n")).toEqual(["a {}.", "a photo of {}."]);
  expect(templatesOf("\n")).toEqual([]);
});
