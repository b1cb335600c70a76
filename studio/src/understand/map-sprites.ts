import { type Shape, shapePath } from "./map-classes";

/** A mark as pixels: how much each is covered, from 0 to 255, and the colour. */
export interface Sprite {
  side: number;
  cover: Uint8ClampedArray;
  colour: Colour;
}

export type Colour = readonly [number, number, number];

// Zooming makes marks of many sizes.
const MOST_SPRITES = 300;
const sprites = new Map<string, Sprite>();

/** The mark of a shape, drawn once. */
export function spriteOf(shape: Shape, colour: string, radius: number): Sprite {
  const key = `${shape} ${colour} ${radius}`;
  const known = sprites.get(key);
  if (known) return known;
  if (sprites.size >= MOST_SPRITES) sprites.clear();
  const half = Math.ceil(1.4 * radius) + 1;
  const side = 2 * half;
  const data = pixelsOf(side, (context) => {
    context.translate(half, half);
    context.fillStyle = colour;
    context.fill(new Path2D(shapePath(shape, radius)));
  });
  const cover = new Uint8ClampedArray(side * side);
  for (let i = 0; i < cover.length; i += 1) cover[i] = data[4 * i + 3] ?? 0;
  const made = { side, cover, colour: colourOf(colour) };
  sprites.set(key, made);
  return made;
}

/** A colour of the style sheet as numbers. */
export function colourOf(colour: string): Colour {
  const data = pixelsOf(1, (context) => {
    context.fillStyle = colour;
    context.fillRect(0, 0, 1, 1);
  });
  return [data[0] ?? 0, data[1] ?? 0, data[2] ?? 0];
}

/** Lays a mark over a square picture that has no transparent pixels, as far as it is within. */
export function lay(
  onto: Uint8ClampedArray,
  width: number,
  sprite: Sprite,
  left: number,
  top: number,
  opacity: number,
): void {
  const { side, cover } = sprite;
  const [red, green, blue] = sprite.colour;
  const strength = opacity / 255;
  for (let y = Math.max(0, -top); y < side && top + y < width; y += 1) {
    for (let x = Math.max(0, -left); x < side && left + x < width; x += 1) {
      const covered = cover[y * side + x] as number;
      if (covered === 0) continue;
      const share = covered * strength;
      const at = 4 * ((top + y) * width + left + x);
      const [r, g, b] = [onto[at] as number, onto[at + 1] as number, onto[at + 2] as number];
      onto[at] = r + share * (red - r);
      onto[at + 1] = g + share * (green - g);
      onto[at + 2] = b + share * (blue - b);
    }
  }
}

function pixelsOf(
  side: number,
  draw: (context: CanvasRenderingContext2D) => void,
): Uint8ClampedArray {
  const canvas = document.createElement("canvas");
  canvas.width = side;
  canvas.height = side;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) return new Uint8ClampedArray(4 * side * side);
  draw(context);
  return context.getImageData(0, 0, side, side).data;
}
