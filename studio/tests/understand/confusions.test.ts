import { expect, test } from "vitest";
import { confusionCells, matrixRows, moved } from "../../src/understand/confusions";
import type { Report } from "../../src/understand/report";

const report = {
  classes: [
    { label: "cat", n_images: 4, n_votes: 4, accuracy: 0.5, confused_with: "dog" },
    { label: "dog", n_images: 2, n_votes: 2, accuracy: 1, confused_with: null },
    { label: "cow", n_images: 1, n_votes: 0, accuracy: null, confused_with: null },
  ],
  confusions: [{ label: "cat", named: "dog", count: 2 }],
  confusion_matrix: {
    labels: ["cat", "dog", "cow"],
    rows: [
      [2, 2, 0],
      [0, 2, 0],
      [0, 0, 0],
    ],
  },
} as unknown as Report;

test("rows are of classes that were judged, with all columns", () => {
  const rows = matrixRows(report);
  expect(rows.map((row) => row.label)).toEqual(["cat", "dog"]);
  expect(rows[0]?.cells.map((cell) => cell.share)).toEqual([0.5, 0.5, 0]);
});

test("a matrix of more classes than fit is left to the list", () => {
  const labels = Array.from({ length: 31 }, (_, at) => `${at}`);
  const rows = labels.map(() => labels.map(() => 1));
  expect(matrixRows({ ...report, confusion_matrix: { labels, rows } })).toEqual([]);
  expect(matrixRows({ ...report, confusion_matrix: null })).toEqual([]);
});

test("the share of a confusion is of the pictures that were judged", () => {
  expect(confusionCells(report)).toEqual([{ label: "cat", named: "dog", count: 2, share: 0.5 }]);
});

test("arrows stay in the grid", () => {
  expect(moved("ArrowUp", false, [0, 1], 2, 3)).toEqual([0, 1]);
  expect(moved("ArrowRight", false, [1, 1], 2, 3)).toEqual([1, 2]);
  expect(moved("End", true, [0, 0], 2, 3)).toEqual([1, 2]);
  expect(moved("x", false, [0, 0], 2, 3)).toBeNull();
});
