/** What part of a map is seen: how large a unit is, and what is in the middle. */
export interface View {
  scale: number;
  x: number;
  y: number;
}

export type Place = readonly [number, number];

export const WHOLE: View = { scale: 1, x: 0, y: 0 };
const MOST_SCALE = 40;
// Of the half of a side: points at the edge are drawn whole.
const MARGIN = 0.94;

/** Places of points between before (0) and after (1), two numbers each. */
export function between(before: Float32Array, after: Float32Array, share: number): Float32Array {
  if (share <= 0) return before;
  if (share >= 1) return after;
  return before.map((from, at) => from + share * ((after[at] ?? from) - from));
}

/** Pixels of a unit of the map. */
export function unit(view: View, side: number): number {
  return (view.scale * MARGIN * side) / 2;
}

/** Where a point of the map is on a square of that side. */
export function onScreen(view: View, side: number, x: number, y: number): [number, number] {
  const pixels = unit(view, side);
  return [side / 2 + (x - view.x) * pixels, side / 2 - (y - view.y) * pixels];
}

/** The view nearer or further, with what is under a place of the screen staying there. */
export function zoomed(view: View, side: number, factor: number, at: Place): View {
  const scale = Math.min(Math.max(view.scale * factor, 1), MOST_SCALE);
  const [dx, dy] = [at[0] - side / 2, side / 2 - at[1]];
  const now = unit(view, side);
  const then = unit({ ...view, scale }, side);
  return within({ scale, x: view.x + dx / now - dx / then, y: view.y + dy / now - dy / then });
}

/** The view dragged by so many pixels. */
export function dragged(view: View, side: number, dx: number, dy: number): View {
  const pixels = unit(view, side);
  return within({ ...view, x: view.x - dx / pixels, y: view.y + dy / pixels });
}

/** The view with a point in its middle, if it is out of sight. */
export function showing(view: View, side: number, x: number, y: number): View {
  const [left, top] = onScreen(view, side, x, y);
  const isSeen = left > 0 && left < side && top > 0 && top < side;
  return isSeen ? view : within({ ...view, x, y });
}

/** The point nearest to a place of the screen, not further than so many pixels; -1: none. */
export function nearest(
  places: Float32Array,
  view: View,
  side: number,
  at: Place,
  most: number,
): number {
  let found = -1;
  let least = most * most;
  for (let i = 0; i < places.length / 2; i += 1) {
    const [x, y] = onScreen(view, side, places[2 * i] ?? 0, places[2 * i + 1] ?? 0);
    const distance = (x - at[0]) ** 2 + (y - at[1]) ** 2;
    if (distance < least) {
      least = distance;
      found = i;
    }
  }
  return found;
}

/** The next point in the direction of an arrow key: near, and not far off the line; -1: none. */
export function next(places: Float32Array, from: number, key: string): number {
  const direction = {
    ArrowLeft: [-1, 0],
    ArrowRight: [1, 0],
    ArrowUp: [0, 1],
    ArrowDown: [0, -1],
  }[key];
  if (!direction) return -1;
  const [ux = 0, uy = 0] = direction;
  const [x0 = 0, y0 = 0] = [places[2 * from], places[2 * from + 1]];
  let found = -1;
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < places.length / 2; i += 1) {
    const [dx, dy] = [(places[2 * i] ?? 0) - x0, (places[2 * i + 1] ?? 0) - y0];
    const along = dx * ux + dy * uy;
    const aside = Math.abs(dx * uy - dy * ux);
    if (i === from || along <= 0 || aside > 2 * along) continue;
    const cost = along + 2 * aside;
    if (cost < least) {
      least = cost;
      found = i;
    }
  }
  return found;
}

function within(view: View): View {
  const most = Math.max(1 - 1 / view.scale, 0);
  const held = (at: number) => Math.min(Math.max(at, -most), most) + 0; // never -0
  return { scale: view.scale, x: held(view.x), y: held(view.y) };
}
