import { expect, test } from "vitest";
import { histogramCharts, type Overlap, WIDTH } from "../../src/understand/histograms";

const overlap = (low: number, shares: [number, number][]): Overlap => ({
  overlap: 0.5,
  n_paired: 10,
  n_unpaired: 10,
  bins: shares.map(([paired, unpaired], at) => ({
    low: low + at / 100,
    high: low + (at + 1) / 100,
    paired,
    unpaired,
  })),
});

test("histograms share their axes, with few pairs in wide bins", () => {
  const [one, two] = histogramCharts([
    overlap(0, [
      [0.25, 0],
      [0.25, 0],
      [0.5, 1],
    ]),
    overlap(0.08, [[1, 1]]),
  ]);
  // Three bins of 0.04 from 0 to 0.12; all pairs of the first are in the first.
  expect(one?.paired).toBe(`M0 170V6.8H153.3V170.0H306.7V170.0H${WIDTH}.0V170Z`);
  expect(one?.shared).toBe(one?.paired);
  expect(two?.paired).toBe(`M0 170V170.0H153.3V170.0H306.7V6.8H${WIDTH}.0V170Z`);
  const texts = one?.ticks.map((tick) => tick.text);
  expect(texts).toEqual(["0", "0.02", "0.04", "0.06", "0.08", "0.1", "0.12"]);
});

test("without pairs there is nothing to draw", () => {
  expect(histogramCharts([])).toEqual([]);
});
