import { cleanup, fireEvent, render, screen } from "@testing-library/preact";
import { afterEach, expect, test, vi } from "vitest";
import { ConfusionMatrix } from "../../src/understand/confusion-matrix";
import type { Cell, Row } from "../../src/understand/confusions";

const labels = ["cat", "dog"];
const rows: Row[] = labels.map((label, y) => ({
  label,
  cells: labels.map((named, x) => ({ label, named, count: 2 * y + x, share: 0.5 })),
}));

afterEach(cleanup);

test("one cell is in the order of the tab key, arrows lead on, Enter chooses", () => {
  const onChoose = vi.fn<(cell: Cell) => void>();
  render(<ConfusionMatrix labels={labels} rows={rows} chosen={null} onChoose={onChoose} />);
  const cells = screen.getAllByRole("gridcell");
  expect(cells.map((cell) => cell.tabIndex)).toEqual([0, -1, -1, -1]);
  cells[0]?.focus();
  fireEvent.keyDown(cells[0] as HTMLElement, { key: "ArrowRight" });
  expect(document.activeElement).toBe(cells[1]);
  fireEvent.keyDown(cells[1] as HTMLElement, { key: "ArrowDown" });
  expect(document.activeElement).toBe(cells[3]);
  fireEvent.keyDown(cells[3] as HTMLElement, { key: "Enter" });
  expect(onChoose.mock.calls[0]?.[0]).toMatchObject({ label: "dog", named: "dog", count: 3 });
});

test("a cell says what it counts", () => {
  render(<ConfusionMatrix labels={labels} rows={rows} chosen={null} onChoose={() => {}} />);
  const said = screen.getAllByRole("gridcell")[1]?.getAttribute("aria-label");
  expect(said?.replace(/[\u2068\u2069]/g, "")).toBe("1 picture of cat named dog");
});
