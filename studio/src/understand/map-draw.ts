import { COLOURS, type MapClass, shapeOf } from "./map-classes";
import { colourOf, lay, spriteOf } from "./map-sprites";
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
const OPAQUE = 0.85;

/** Draws a map on a square canvas, pixel by pixel: ten thousand calls to draw a mark take a tenth of
 * a second without a graphics card. */
export function draw(canvas: HTMLCanvasElement, side: number, scene: Scene): void {
  const context = canvas.getContext("2d");
  if (!context || side === 0) return;
  const density = window.devicePixelRatio || 1;
  const width = Math.round(side * density);
  if (canvas.width !== width) {
    canvas.width = width;
    canvas.height = width;
  }
  const style = getComputedStyle(canvas);
  const variable = (name: string) => style.getPropertyValue(name).trim();
  const picture = context.createImageData(width, width);
  const [red, green, blue] = colourOf(variable("--page"));
  new Uint32Array(picture.data.buffer).fill(
    ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0,
  );
  const radius = radiusOf(scene) * density;
  // What stands out is drawn last, above the others.
  const order = [...scene.classes].reverse().sort((a, b) => rank(a, scene) - rank(b, scene));
  for (const one of order) {
    const isOut = one.label === scene.highlight;
    const opacity = scene.highlight === null || isOut ? OPAQUE : DIMMED;
    const sprite = spriteOf(shapeOf(one.mark), variable(nameOf(one, isOut)), radius);
    const half = sprite.side / 2;
    for (const i of one.points) {
      const [x, y] = placeOf(scene, width, i);
      lay(picture.data, width, sprite, Math.round(x) - half, Math.round(y) - half, opacity);
    }
  }
  context.putImageData(picture, 0, 0);
  if (scene.current < 0) return;
  const [x, y] = placeOf(scene, width, scene.current);
  context.strokeStyle = variable("--ink");
  context.lineWidth = 2 * density;
  context.beginPath();
  context.arc(x, y, radius + 5 * density, 0, 2 * Math.PI);
  context.stroke();
}

function placeOf({ places, view }: Scene, width: number, i: number): [number, number] {
  return onScreen(view, width, places[2 * i] ?? 0, places[2 * i + 1] ?? 0);
}

function rank(one: MapClass, scene: Scene): number {
  return one.label === scene.highlight ? 1 : 0;
}

function nameOf(one: MapClass, isOut: boolean): string {
  if (one.mark === null) return isOut ? "--ink" : "--edge";
  return `--mark-${one.mark % COLOURS}`;
}

/** Smaller the more there are, and larger as one goes nearer. */
function radiusOf({ places, view }: Scene): number {
  const n = places.length / 2;
  const least = n < 400 ? 5.5 : n < 3000 ? 4 : 3;
  return Math.round(4 * least * Math.min(1 + Math.log2(view.scale) / 4, 2)) / 4;
}
