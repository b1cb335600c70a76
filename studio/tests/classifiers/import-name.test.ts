import { expect, test } from "vitest";
import { importName } from "../../src/classifiers/import-name";

test.each([
  ["land-cover.zip", "land-cover"],
  ["pets (1).ZIP", "pets"],
  ["Ä nest of böxes.zip", "A-nest-of-boxes"],
  ["_.hidden.zip", "hidden"],
  ["犬.zip", ""],
  [`${"x".repeat(80)}.zip`, "x".repeat(64)],
])("%s is imported as %s", (file, name) => {
  expect(importName(file)).toBe(name);
  if (name) expect(name).toMatch(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/);
});
