import { expect, test } from "vitest";
import { COLOURS, mapClasses, shapeOf, spread } from "../../src/understand/map-classes";
import {
  between,
  dragged,
  nearest,
  next,
  onScreen,
  showing,
  WHOLE,
  zoomed,
} from "../../src/understand/map-view";

const SIDE = 400;
const places = Float32Array.from([0, 0, 0.5, 0, 0.5, 0.1, -0.5, 0.5]);

test("what is under the pointer stays there when one zooms", () => {
  const at = onScreen(WHOLE, SIDE, 0.5, 0.1);
  const near = zoomed(WHOLE, SIDE, 4, at);
  expect(onScreen(near, SIDE, 0.5, 0.1).map(Math.round)).toEqual(at.map(Math.round));
});

test("zooming out again shows the whole, wherever one was", () => {
  const near = dragged(zoomed(WHOLE, SIDE, 8, [0, 0]), SIDE, 50, 20);
  expect(zoomed(near, SIDE, 1 / 100, [10, 10])).toEqual(WHOLE);
});

test("a map cannot be dragged out of sight", () => {
  expect(dragged({ scale: 2, x: 0, y: 0 }, SIDE, -1e5, 0).x).toBe(0.5);
});

test("the nearest point is one within reach", () => {
  const at = onScreen(WHOLE, SIDE, 0.5, 0.09);
  expect(nearest(places, WHOLE, SIDE, at, 12)).toBe(2);
  expect(nearest(places, WHOLE, SIDE, [0, 0], 12)).toBe(-1);
});

test("arrows go to what lies in their direction", () => {
  expect(next(places, 0, "ArrowRight")).toBe(1);
  expect(next(places, 1, "ArrowUp")).toBe(2);
  expect(next(places, 1, "ArrowLeft")).toBe(0);
  expect(next(places, 3, "ArrowUp")).toBe(-1);
});

test("a point out of sight comes to the middle, one in sight moves nothing", () => {
  const near = { scale: 8, x: 0.5, y: 0.5 };
  expect(showing(near, SIDE, -0.5, 0)).toEqual({ scale: 8, x: -0.5, y: 0 });
  expect(showing(near, SIDE, 0.5, 0.45)).toBe(near);
});

test("on the way points are between both places", () => {
  const after = Float32Array.from([1, 1, 0.5, 0, 0.5, 0.1, -0.5, 0.5]);
  expect(between(places, after, 0.5).slice(0, 2)).toEqual(Float32Array.from([0.5, 0.5]));
  expect(between(places, after, 1)).toBe(after);
});

test("classes with marks are the largest, and their marks differ", () => {
  const labels = Array.from({ length: 30 }, (_, at) => Array(at + 1).fill(`c${at}`)).flat();
  const classes = mapClasses([...labels, ...Array(99).fill("not-these")]);
  expect(classes[0]?.label).toBe("c29");
  expect(classes.at(-1)).toMatchObject({ label: "not-these", mark: null });
  const marks = classes.flatMap(({ mark }) => (mark === null ? [] : [mark]));
  expect(new Set(marks.map((mark) => `${mark % COLOURS}${shapeOf(mark)}`)).size).toBe(16);
});

test("the spread of a class is of its own points", () => {
  expect(spread(places, [0, 1])).toBeCloseTo(0.25);
  expect(spread(places, [3])).toBe(0);
});
