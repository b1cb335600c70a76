import { COLOURS, type MapClass, shapeOf, shapePath } from "./map-classes";
import { onScreen, type View } from "./map-view";

export interface Scene {
  classes: readonly MapClass[];
  places: Float32Array;
  view: View;
  /** Label of the class that stands out. */
  highlight: string | null;
  /** The point that is looked at. */
  current: number;
}

const DIMMED = 0.12;

/** Draws a map on a square canvas. Each mark is drawn once and copied: ten thousand paths are slow. */
export function draw(canvas: HTMLCanvasElement, side: number, scene: Scene): void {
  const context = canvas.getContext("2d");
  if (!context || side === 0) return;
  const density = window.devicePixelRatio || 1;
  const pixels = Math.round(side * density);
  if (canvas.width !== pixels) {
    canvas.width = pixels;
    canvas.height = pixels;
  }
  const style = getComputedStyle(canvas);
  const radius =
    radiusOf(scene.places.length / 2) * Math.min(1 + Math.log2(scene.view.scale) / 4, 2);
  context.setTransform(density, 0, 0, density, 0, 0);
  context.clearRect(0, 0, side, side);
  // What stands out is drawn last, above the others.
  const order = [...scene.classes].reverse().sort((a, b) => rank(a, scene) - rank(b, scene));
  for (const one of order) {
    const isOut = one.label === scene.highlight;
    context.globalAlpha = scene.highlight === null || isOut ? 0.85 : DIMMED;
    const colour = style.getPropertyValue(colourOf(one, isOut)).trim();
    copies(context, sprite(one, colour, radius, density), one.points, scene, side, density);
  }
  context.globalAlpha = 1;
  ring(context, scene, side, radius, style.getPropertyValue("--ink").trim());
}

function rank(one: MapClass, scene: Scene): number {
  return one.label === scene.highlight ? 1 : 0;
}

function colourOf(one: MapClass, isOut: boolean): string {
  if (one.mark === null) return isOut ? "--ink" : "--edge";
  return `--mark-${one.mark % COLOURS}`;
}

function radiusOf(n: number): number {
  return n < 400 ? 5.5 : n < 3000 ? 4 : 3;
}

function sprite(one: MapClass, colour: string, radius: number, density: number): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  const half = Math.ceil(1.4 * radius * density) + 1;
  canvas.width = 2 * half;
  canvas.height = 2 * half;
  const context = canvas.getContext("2d");
  if (context) {
    context.translate(half, half);
    context.scale(density, density);
    context.fillStyle = colour;
    context.fill(new Path2D(shapePath(shapeOf(one.mark), radius)));
  }
  return canvas;
}

function copies(
  context: CanvasRenderingContext2D,
  mark: HTMLCanvasElement,
  points: readonly number[],
  { places, view }: Scene,
  side: number,
  density: number,
): void {
  const size = mark.width / density;
  for (const i of points) {
    const [x, y] = onScreen(view, side, places[2 * i] ?? 0, places[2 * i + 1] ?? 0);
    if (x < -size || y < -size || x > side + size || y > side + size) continue;
    context.drawImage(mark, x - size / 2, y - size / 2, size, size);
  }
}

function ring(
  context: CanvasRenderingContext2D,
  { places, view, current }: Scene,
  side: number,
  radius: number,
  colour: string,
): void {
  if (current < 0) return;
  const [x, y] = onScreen(view, side, places[2 * current] ?? 0, places[2 * current + 1] ?? 0);
  context.strokeStyle = colour;
  context.lineWidth = 2;
  context.beginPath();
  context.arc(x, y, radius + 5, 0, 2 * Math.PI);
  context.stroke();
}
