import type { components } from "../api/schema";
import type { Report } from "./report";

export type Suspect = components["schemas"]["Suspect"];

/** Pictures of one class that were named as one class, which may be the same. */
export interface Cell {
  label: string;
  named: string;
  count: number;
  /** Share of the pictures of the class that were judged. */
  share: number;
}

export interface Row {
  label: string;
  cells: Cell[];
}

/** A larger matrix does not fit on a screen; the most frequent confusions are listed instead. */
export const MOST_CLASSES = 30;

/** Rows of the confusion matrix, without those of classes that could not be judged. */
export function matrixRows(report: Report): Row[] {
  const matrix = report.confusion_matrix;
  if (matrix === null || matrix.labels.length > MOST_CLASSES) return [];
  return matrix.labels.flatMap((label, at) => {
    const counts = matrix.rows[at] ?? [];
    const all = counts.reduce((sum, count) => sum + count, 0);
    const cells = matrix.labels.map((named, column) => {
      const count = counts[column] ?? 0;
      return { label, named, count, share: count / Math.max(all, 1) };
    });
    return all === 0 ? [] : [{ label, cells }];
  });
}

/** Confusions as cells, the most frequent first. */
export function confusionCells(report: Report): Cell[] {
  const votes = new Map(report.classes.map((one) => [one.label, one.n_votes]));
  return report.confusions.map((one) => ({
    ...one,
    share: one.count / Math.max(votes.get(one.label) ?? 0, 1),
  }));
}

/** Where a key leads from a cell of a grid, and null for a key that leads nowhere. */
export function moved(
  key: string,
  toEnd: boolean,
  from: readonly [number, number],
  rows: number,
  columns: number,
): [number, number] | null {
  const [row, column] = from;
  const within = (at: number, n: number) => Math.min(Math.max(at, 0), n - 1);
  switch (key) {
    case "ArrowUp":
      return [within(row - 1, rows), column];
    case "ArrowDown":
      return [within(row + 1, rows), column];
    case "ArrowLeft":
      return [row, within(column - 1, columns)];
    case "ArrowRight":
      return [row, within(column + 1, columns)];
    case "Home":
      return [toEnd ? 0 : row, 0];
    case "End":
      return [toEnd ? rows - 1 : row, columns - 1];
    default:
      return null;
  }
}
