import { useRef, useState } from "preact/hooks";
import { texts } from "../texts/texts";
import { type Cell, moved, type Row } from "./confusions";

interface Props {
  labels: string[];
  rows: Row[];
  chosen: Cell | null;
  onChoose: (cell: Cell) => void;
}

/** Confusion matrix: one cell is in the order of the tab key, arrows lead to the others. */
export function ConfusionMatrix({ labels, rows, chosen, onChoose }: Props) {
  const table = useRef<HTMLTableElement>(null);
  const [at, setAt] = useState<[number, number]>([0, 0]);
  const here: [number, number] = [
    Math.min(at[0], rows.length - 1),
    Math.min(at[1], labels.length - 1),
  ];
  const onKeyDown = (event: KeyboardEvent) => {
    const cell = rows[here[0]]?.cells[here[1]];
    if ((event.key === "Enter" || event.key === " ") && cell) {
      event.preventDefault();
      onChoose(cell);
      return;
    }
    const to = moved(event.key, event.ctrlKey, here, rows.length, labels.length);
    if (to === null) return;
    event.preventDefault();
    setAt(to);
    const cells = table.current?.querySelectorAll<HTMLElement>("[role=gridcell]");
    cells?.[to[0] * labels.length + to[1]]?.focus();
  };
  return (
    <div class="wide-table">
      {/* biome-ignore-start lint/a11y/noNoninteractiveElementToInteractiveRole: ARIA makes grids of tables. */}
      <table
        class="matrix"
        role="grid"
        aria-label={texts.understand.matrix}
        ref={table}
        onKeyDown={onKeyDown}
      >
        <thead>
          <tr>
            <td class="corner" />
            {labels.map((label) => (
              <th scope="col" key={label} title={label}>
                <bdi>{label}</bdi>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, y) => (
            <tr key={row.label}>
              <th scope="row" title={row.label}>
                <bdi>{row.label}</bdi>
              </th>
              {row.cells.map((cell, x) => {
                const isRight = cell.label === cell.named;
                const isChosen = chosen?.label === cell.label && chosen.named === cell.named;
                return (
                  // biome-ignore lint/a11y/useKeyWithClickEvents: the grid has the keys.
                  <td
                    key={cell.named}
                    role="gridcell"
                    tabIndex={y === here[0] && x === here[1] ? 0 : -1}
                    class={cell.count === 0 ? "" : isRight ? "right" : "wrong"}
                    aria-label={texts.understand.cell(cell.count, cell.label, cell.named)}
                    aria-selected={isChosen}
                    title={texts.understand.cell(cell.count, cell.label, cell.named)}
                    style={{ "--share": `${cell.share}` }}
                    onFocus={() => setAt([y, x])}
                    onClick={() => onChoose(cell)}
                  >
                    {cell.count || ""}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
      {/* biome-ignore-end lint/a11y/noNoninteractiveElementToInteractiveRole: ARIA makes grids of tables. */}
    </div>
  );
}
