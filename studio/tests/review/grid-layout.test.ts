import { expect, test } from "vitest";
import { GAP, scrollTo, shownOf } from "../../src/review/grid-layout";

test("of ten thousand only those in view are drawn, and some beyond", () => {
  const shown = shownOf(10_000, 860, 500, 40_000);
  expect(shown.columns).toBe(8);
  expect(shown.end - shown.first).toBeLessThan(110);
  const top = Math.floor(shown.first / shown.columns) * (shown.tile + GAP);
  expect(top).toBeLessThanOrEqual(40_000);
});

test("tiles fill the width", () => {
  const shown = shownOf(10, 330, 500, 0);
  expect(shown.columns * (shown.tile + GAP) - GAP).toBeCloseTo(330);
  expect(shown.end).toBe(10);
});

test("a list that has become short draws what there is", () => {
  const shown = shownOf(3, 860, 500, 40_000);
  expect(shown.first).toBeLessThanOrEqual(shown.end);
});

test("one scrolls no further than needed", () => {
  const shown = shownOf(1000, 860, 500, 0);
  expect(scrollTo(0, shown, 500, 700)).toBe(0);
  expect(scrollTo(8, shown, 500, 20)).toBe(20);
  expect(scrollTo(80, shown, 500, 0)).toBeGreaterThan(0);
});
