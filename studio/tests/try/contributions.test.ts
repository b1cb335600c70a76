import { describe, expect, test } from "vitest";
import { contributions, decisive } from "../../src/try/contributions";

const ranked = (label: string, zero_shot: number, cache: number) => ({
  label,
  zero_shot,
  cache,
  probability: 0,
});

describe("contributions", () => {
  test("begin at nothing, and the longest is the answer, whatever the signs", () => {
    const shown = contributions([ranked("a", -1, 9), ranked("b", -3, 2), ranked("c", -2, -1)]);
    expect(shown[0]).toEqual({ label: "a", name: 2 / 12, pictures: 10 / 12 });
    expect(shown[1]).toEqual({ label: "b", name: 0, pictures: 3 / 12 });
    expect(shown[2]).toEqual({ label: "c", name: 1 / 12, pictures: 0 });
  });

  test("of classes that nothing tells apart are nothing", () => {
    expect(contributions([ranked("a", 1, 0), ranked("b", 1, 0)])).toEqual([
      { label: "a", name: 0, pictures: 0 },
      { label: "b", name: 0, pictures: 0 },
    ]);
  });
});

describe("what decides", () => {
  test.each([
    ["name", ranked("a", 5, 1), ranked("b", 0, 1)],
    ["pictures", ranked("a", 0, 5), ranked("b", 1, 0)],
    ["both", ranked("a", 5, 5), ranked("b", 0, 0)],
    [null, ranked("a", 1, 1), ranked("b", 1, 1)],
  ])("%s", (expected, first, second) => {
    expect(decisive([first, second])).toBe(expected);
  });
});
