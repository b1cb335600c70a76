import type { components } from "../api/schema";

export type Overlap = components["schemas"]["OverlapOut"];

/** Size of a chart, in the units of its paths. */
export const WIDTH = 460;
export const HEIGHT = 170;
const MOST_TICKS = 6;
// Of the height: the highest bar nearly reaches the edge.
const HIGHEST = 0.96;

/** Paths of two histograms over each other, and of the area under both. */
export interface HistogramChart {
  paired: string;
  unpaired: string;
  shared: string;
  ticks: { x: number; text: string }[];
}

/** Similarity histograms as steps, on the same axes; all of them have pairs of both kinds. */
export function histogramCharts(overlaps: readonly Overlap[]): HistogramChart[] {
  if (overlaps.length === 0) return [];
  const step = Math.max(...overlaps.map(stepOf));
  const merged = overlaps.map((one) => mergedBins(one, step));
  const numbers = merged.flatMap((one) => [...one.keys()]);
  const first = Math.min(...numbers);
  const end = Math.max(...numbers) + 1;
  const top = Math.max(...merged.flatMap((one) => [...one.values()].flat()));
  const all = Array.from({ length: end - first }, (_, at) => first + at);
  return merged.map((bins) => {
    const shares = all.map((number) => bins.get(number) ?? ([0, 0] as const));
    return {
      paired: steps(
        shares.map(([paired]) => paired),
        top,
      ),
      unpaired: steps(
        shares.map(([, unpaired]) => unpaired),
        top,
      ),
      shared: steps(
        shares.map((pair) => Math.min(...pair)),
        top,
      ),
      ticks: ticks(first * step, end * step),
    };
  });
}

/** Width of a bin: of two or four intervals, so that few pairs do not look like a comb. */
function stepOf(one: Overlap): number {
  return Math.min(one.n_paired, one.n_unpaired) >= 500 ? 0.02 : 0.04;
}

function mergedBins(overlap: Overlap, step: number): Map<number, readonly [number, number]> {
  const merged = new Map<number, readonly [number, number]>();
  for (const one of overlap.bins) {
    const at = Math.floor((one.low + one.high) / 2 / step);
    const [paired, unpaired] = merged.get(at) ?? [0, 0];
    merged.set(at, [paired + one.paired, unpaired + one.unpaired]);
  }
  return merged;
}

function steps(shares: readonly number[], top: number): string {
  const width = WIDTH / shares.length;
  const path = shares.map((share, at) => {
    const y = HEIGHT * (1 - (HIGHEST * share) / top);
    return `V${y.toFixed(1)}H${((at + 1) * width).toFixed(1)}`;
  });
  return `M0 ${HEIGHT}${path.join("")}V${HEIGHT}Z`;
}

function ticks(low: number, high: number): { x: number; text: string }[] {
  const step = [0.02, 0.05, 0.1, 0.2, 0.5].find((one) => (high - low) / one <= MOST_TICKS) ?? 0.5;
  const first = Math.ceil(low / step - 1e-9);
  const n = Math.floor(high / step + 1e-9) - first + 1;
  return Array.from({ length: n }, (_, at) => {
    const value = (first + at) * step;
    return { x: ((value - low) / (high - low)) * WIDTH, text: String(Number(value.toFixed(2))) };
  });
}
