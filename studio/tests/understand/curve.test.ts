import { expect, test } from "vitest";
import {
  type Curve,
  curveChart,
  expectedAt,
  HEIGHT,
  levelTicks,
  mostMore,
  shotTicks,
  WIDTH,
} from "../../src/understand/curve";

const curve: Curve = {
  shots: 4,
  measured: [
    { shots: 4, accuracy: 0.8 },
    { shots: 1, accuracy: 0.55 },
  ],
  expected: [
    { shots: 1, value: 0.5, low: 0.42, high: 0.6 },
    { shots: 4, value: 0.7, low: 0.6, high: 0.8 },
    { shots: 16, value: 0.8, low: 0.7, high: 0.9 },
  ],
  accuracy: { value: 0.7, low: 0.6, high: 0.8 },
  gain: { value: 0.1, low: 0, high: 0.2 },
};

test("between two points the curve is straight on the logarithmic axis", () => {
  expect(expectedAt(curve, 8)?.value).toBeCloseTo(0.75);
  expect(expectedAt(curve, 4)?.low).toBeCloseTo(0.6);
});

test("beyond the ends it is as at the ends", () => {
  expect(expectedAt(curve, 0.5)?.value).toBeCloseTo(0.5);
  expect(expectedAt(curve, 99)?.value).toBeCloseTo(0.8);
});

test("it tells of as many more pictures as it goes on", () => {
  expect(mostMore(curve)).toBe(12);
});

test("the chart begins with the first point and ends with the last", () => {
  const chart = curveChart(curve);
  expect(chart?.x(1)).toBe(0);
  expect(chart?.x(16)).toBe(WIDTH);
  expect(chart?.now).toBeCloseTo(WIDTH / 2);
  expect(chart?.y(1)).toBe(0);
  expect(chart?.y(0.4)).toBeCloseTo(0.95 * HEIGHT);
  expect(curveChart({ ...curve, expected: [] })).toBeNull();
});

test("ticks are few and round", () => {
  expect(shotTicks(16)).toEqual([1, 2, 4, 8, 16]);
  expect(shotTicks(1000)).toEqual([1, 4, 16, 64, 256]);
  expect(levelTicks(0.4)).toEqual([40, 60, 80, 100]);
  expect(levelTicks(0.9)).toEqual([90, 92, 94, 96, 98, 100]);
});
