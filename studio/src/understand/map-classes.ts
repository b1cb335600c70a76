import { NEGATIVES } from "../classifier/classifier";

/** A class on a map, with its points. */
export interface MapClass {
  label: string;
  /** Number of its colour and shape; null: grey, as there are more classes than can be told apart. */
  mark: number | null;
  points: number[];
}

/** Colours of the style sheet, and shapes; no two of the first 40 marks are the same. */
export const COLOURS = 8;
export const SHAPES = ["circle", "square", "triangle", "diamond", "cross"] as const;
export type Shape = (typeof SHAPES)[number];
const MOST_MARKS = 16;

export function shapeOf(mark: number | null): Shape {
  return SHAPES[(mark ?? 0) % SHAPES.length] ?? "circle";
}

/** Classes by their number of points; the largest have marks of their own. */
export function mapClasses(labels: readonly string[]): MapClass[] {
  const points = new Map<string, number[]>();
  for (const [at, label] of labels.entries()) {
    const known = points.get(label);
    if (known) known.push(at);
    else points.set(label, [at]);
  }
  // What is of no class has no mark, and comes last.
  const rank = ([label, its]: [string, number[]]) => (label === NEGATIVES ? -1 : its.length);
  return [...points]
    .sort((a, b) => rank(b) - rank(a))
    .map(([label, its], at) => {
      const mark = at < MOST_MARKS && label !== NEGATIVES ? at : null;
      return { label, mark, points: its };
    });
}

/** Spread of some points: their mean distance from their middle, in units of the map. */
export function spread(places: Float32Array, points: readonly number[]): number {
  const mean = (of: number) =>
    points.reduce((sum, i) => sum + (places[2 * i + of] ?? 0), 0) / Math.max(points.length, 1);
  const [x, y] = [mean(0), mean(1)];
  const distances = points.map((i) =>
    Math.hypot((places[2 * i] ?? 0) - x, (places[2 * i + 1] ?? 0) - y),
  );
  return distances.reduce((sum, one) => sum + one, 0) / Math.max(points.length, 1);
}

/** Path of a shape around (0, 0), of about the same area for all. */
export function shapePath(shape: Shape, radius: number): string {
  const r = radius;
  switch (shape) {
    case "circle":
      return `M${-r} 0A${r} ${r} 0 1 1 ${r} 0A${r} ${r} 0 1 1 ${-r} 0Z`;
    case "square": {
      const a = 0.88 * r;
      return `M${-a} ${-a}H${a}V${a}H${-a}Z`;
    }
    case "triangle":
      return `M0 ${-1.25 * r}L${1.2 * r} ${0.85 * r}H${-1.2 * r}Z`;
    case "diamond":
      return `M0 ${-1.3 * r}L${1.3 * r} 0L0 ${1.3 * r}L${-1.3 * r} 0Z`;
    case "cross": {
      const [a, b] = [0.42 * r, 1.2 * r];
      return `M${-a} ${-b}H${a}V${-a}H${b}V${a}H${a}V${b}H${-a}V${a}H${-b}V${-a}H${-a}Z`;
    }
  }
}
