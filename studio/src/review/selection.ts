/** What is focused and what is selected in a list, by ids. */
export interface Selection {
  focus: string | null;
  /** Where an extended selection begins. */
  anchor: string | null;
  selected: ReadonlySet<string>;
}

export const NOTHING: Selection = { focus: null, anchor: null, selected: new Set() };

/** What an action is for: what is selected, or else what is focused; in the order of the list. */
export function targets(now: Selection, order: readonly string[]): string[] {
  if (now.selected.size > 0) return order.filter((id) => now.selected.has(id));
  return now.focus !== null && order.includes(now.focus) ? [now.focus] : [];
}

/** Focus a step away, in rows of so many; with `extend` all from the anchor to there is selected. */
export function moved(
  now: Selection,
  order: readonly string[],
  key: string,
  columns: number,
  extend: boolean,
): Selection {
  const step = {
    ArrowLeft: -1,
    ArrowRight: 1,
    ArrowUp: -columns,
    ArrowDown: columns,
    PageUp: -3 * columns,
    PageDown: 3 * columns,
    Home: -order.length,
    End: order.length,
  }[key];
  if (step === undefined || order.length === 0) return now;
  const from = now.focus === null ? -1 : order.indexOf(now.focus);
  const to = from < 0 ? 0 : Math.min(Math.max(from + step, 0), order.length - 1);
  // Up and down stay in their column: from the first row upwards leads nowhere.
  const isOff =
    (key === "ArrowUp" && from + step < 0) ||
    (key === "ArrowDown" &&
      from + step >= order.length &&
      sameRow(from, order.length - 1, columns));
  const id = order[from >= 0 && isOff ? from : to] ?? null;
  return extend ? extendedTo(now, order, id) : { ...now, focus: id, anchor: id };
}

/** All from the anchor to an item selected. */
export function extendedTo(now: Selection, order: readonly string[], id: string | null): Selection {
  const anchor = now.anchor ?? now.focus ?? id;
  if (id === null || anchor === null) return now;
  const [a, b] = [order.indexOf(anchor), order.indexOf(id)];
  const selected = new Set(order.slice(Math.max(Math.min(a, b), 0), Math.max(a, b) + 1));
  return { focus: id, anchor, selected };
}

/** An item selected, or no longer; it has the focus. */
export function toggled(now: Selection, id: string): Selection {
  const selected = new Set(now.selected);
  if (!selected.delete(id)) selected.add(id);
  return { focus: id, anchor: id, selected };
}

/** The selection when some are dealt with: none of them, and the focus on the next one. */
export function passed(
  now: Selection,
  order: readonly string[],
  done: ReadonlySet<string>,
): Selection {
  const selected = new Set([...now.selected].filter((id) => !done.has(id)));
  const at = now.focus === null ? 0 : order.indexOf(now.focus);
  const isOpen = (id: string) => !done.has(id);
  const focus = order.slice(Math.max(at, 0)).find(isOpen) ?? order.filter(isOpen).at(-1) ?? null;
  return { focus, anchor: focus, selected };
}

function sameRow(a: number, b: number, columns: number): boolean {
  return Math.floor(a / columns) === Math.floor(b / columns);
}
