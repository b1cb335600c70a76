/** Least side of a tile and what is between two, in pixels. */
const LEAST_TILE = 100;
export const GAP = 8;
const ROWS_BEYOND = 3;

/** Rows of a grid that are drawn: those in view, and some beyond. */
export interface Shown {
  columns: number;
  /** Side of a tile: they fill the width. */
  tile: number;
  /** Of the whole grid, in pixels. */
  height: number;
  first: number;
  /** Behind the last item that is drawn. */
  end: number;
}

/** What is drawn of so many items in a view of that size, scrolled so far. */
export function shownOf(n: number, width: number, height: number, scrolled: number): Shown {
  const columns = Math.max(Math.floor((width + GAP) / (LEAST_TILE + GAP)), 1);
  const tile = Math.max((width + GAP) / columns - GAP, 1);
  const row = tile + GAP;
  const rows = Math.ceil(n / columns);
  // A list that has become shorter is scrolled back a moment later.
  const top = Math.min(scrolled, Math.max(rows * row - height, 0));
  const first = Math.max(Math.floor(top / row) - ROWS_BEYOND, 0);
  const last = Math.min(Math.ceil((top + height) / row) + ROWS_BEYOND, rows);
  return {
    columns,
    tile,
    height: Math.max(rows * row - GAP, 0),
    first: first * columns,
    end: Math.min(last * columns, n),
  };
}

/** Where the row that is at the top begins: nothing is drawn anew before another one is. */
export function rowAt(scrolled: number, shown: Shown): number {
  const row = shown.tile + GAP;
  return Math.floor(scrolled / row) * row;
}

/** How far to scroll so that an item is in view. */
export function scrollTo(at: number, shown: Shown, height: number, scrolled: number): number {
  const top = Math.floor(at / shown.columns) * (shown.tile + GAP);
  if (top < scrolled) return top;
  return top + shown.tile > scrolled + height ? top + shown.tile - height : scrolled;
}
