import type { components } from "../api/schema";

export type Curve = components["schemas"]["LearningCurveOut"];
type Estimate = components["schemas"]["EstimateOut"];

/** Size of the chart, in the units of its paths. */
export const WIDTH = 460;
export const HEIGHT = 240;
const MOST_TICKS = 8;
// Of the height: the lowest value does not touch the axis.
const MARGIN = 0.05;

export interface Tick {
  at: number;
  value: number;
}

export interface CurveChart {
  /** Area of the interval. */
  band: string;
  /** Expected accuracy as far as there are pictures. */
  line: string;
  /** The same beyond. */
  ahead: string;
  /** Where the pictures at hand are. */
  now: number;
  /** What was measured. */
  dots: { x: number; y: number; shots: number; accuracy: number }[];
  /** Of the horizontal axis, pictures a class. */
  shots: Tick[];
  /** Of the vertical axis, accuracies in %. */
  levels: Tick[];
  x: (shots: number) => number;
  y: (accuracy: number) => number;
}

/** Learning curve as paths, the pictures a class on a logarithmic axis, as on the report page. */
export function curveChart(curve: Curve): CurveChart | null {
  const points = curve.expected;
  const [first, last] = [points[0], points.at(-1)];
  if (!first || !last) return null;
  const left = Math.log2(first.shots);
  const right = Math.log2(last.shots);
  const bottom = lowest(curve);
  const x = (shots: number) => (WIDTH * (Math.log2(shots) - left)) / Math.max(right - left, 1e-9);
  const y = (accuracy: number) => HEIGHT * (1 - MARGIN) * (1 - (accuracy - bottom) / (1 - bottom));
  const line = points.map((one) => [x(one.shots), y(one.value)] as const);
  const low = points.map((one) => [x(one.shots), y(one.low)] as const);
  const high = points.map((one) => [x(one.shots), y(one.high)] as const);
  const seen = points.filter((one) => one.shots <= curve.shots).length;
  return {
    band: `${path([...high, ...low.reverse()])}Z`,
    line: path(line.slice(0, seen)),
    ahead: path(line.slice(Math.max(seen - 1, 0))),
    now: x(curve.shots),
    dots: curve.measured
      .filter((one) => one.shots >= first.shots && one.shots <= last.shots)
      .map((one) => ({ ...one, x: x(one.shots), y: y(one.accuracy) })),
    shots: shotTicks(last.shots).map((value) => ({ at: x(value), value })),
    levels: levelTicks(bottom).map((value) => ({ at: y(value / 100), value })),
    x,
    y,
  };
}

/** What to expect with so many pictures a class, between the points of the curve. */
export function expectedAt(curve: Curve, shots: number): Estimate | null {
  const points = curve.expected;
  const after = points.findIndex((one) => one.shots >= shots);
  const b = points[after < 0 ? points.length - 1 : after];
  const a = points[after < 0 ? points.length - 1 : Math.max(after - 1, 0)];
  if (!a || !b) return null;
  const span = Math.log2(b.shots) - Math.log2(a.shots);
  const share =
    span > 0 ? Math.min(Math.max((Math.log2(shots) - Math.log2(a.shots)) / span, 0), 1) : 0;
  const between = (of: "value" | "low" | "high") => a[of] + share * (b[of] - a[of]);
  return { value: between("value"), low: between("low"), high: between("high") };
}

/** How many more pictures a class the curve tells of. */
export function mostMore(curve: Curve): number {
  return Math.max(Math.round((curve.expected.at(-1)?.shots ?? 0) - curve.shots), 0);
}

/** Where the vertical axis begins: a round accuracy below all that is drawn. */
export function lowest(curve: Curve): number {
  const values = [
    ...curve.expected.map((one) => one.low),
    ...curve.measured.map((one) => one.accuracy),
  ];
  return Math.min(Math.max(Math.floor(10 * Math.min(...values)) / 10, 0), 0.9);
}

/** Powers of two up to so many pictures a class, not more than are easily read. */
export function shotTicks(most: number): number[] {
  const powers = Math.floor(Math.log2(most) + 1e-9) + 1;
  const step = Math.ceil(powers / MOST_TICKS);
  return Array.from({ length: Math.ceil(powers / step) }, (_, at) => 2 ** (at * step));
}

/** Accuracies in %, from the lowest to all. */
export function levelTicks(bottom: number): number[] {
  const low = Math.round(100 * bottom);
  const step = [2, 5, 10, 20, 25].find((one) => (100 - low) / one <= 5) ?? 25;
  const first = Math.ceil(low / step) * step;
  return Array.from({ length: Math.floor((100 - first) / step) + 1 }, (_, at) => first + at * step);
}

function path(points: readonly (readonly [number, number])[]): string {
  return `M${points.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L")}`;
}
