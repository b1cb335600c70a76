import { expect, test } from "vitest";
import { lay } from "../../src/understand/map-sprites";

const WIDTH = 4;
const white = () => new Uint8ClampedArray(4 * WIDTH * WIDTH).fill(255);
const sprite = {
  side: 2,
  cover: Uint8ClampedArray.from([255, 0, 255, 255]),
  colour: [0, 55, 255] as const,
};
const pixel = (picture: Uint8ClampedArray, x: number, y: number) => [
  ...picture.slice(4 * (y * WIDTH + x), 4 * (y * WIDTH + x) + 4),
];

test("a mark covers what it covers, by its opacity", () => {
  const picture = white();
  lay(picture, WIDTH, sprite, 1, 2, 1);
  expect(pixel(picture, 1, 2)).toEqual([0, 55, 255, 255]);
  expect(pixel(picture, 2, 2)).toEqual([255, 255, 255, 255]);
  const half = white();
  lay(half, WIDTH, sprite, 1, 2, 0.5);
  expect(pixel(half, 1, 2)).toEqual([128, 155, 255, 255]);
});

test("what lies beyond an edge does not come in at the other", () => {
  const picture = white();
  lay(picture, WIDTH, sprite, -1, -1, 1);
  lay(picture, WIDTH, sprite, 3, 3, 1);
  lay(picture, WIDTH, sprite, -9, 2, 1);
  const changed = [...picture].flatMap((value, at) => (value === 255 ? [] : [at >> 2]));
  expect([...new Set(changed)]).toEqual([0, 15]);
});
