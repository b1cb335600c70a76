import { useState } from "preact/hooks";
import { texts } from "../texts/texts";
import { CellPictures } from "./cell-pictures";
import { ConfusionMatrix } from "./confusion-matrix";
import { type Cell, confusionCells, matrixRows } from "./confusions";
import type { Report } from "./report";

const LISTED_FIRST = 16;

/** What is taken for what: the matrix, or for many classes a list, and the pictures of a cell. */
export function ConfusionSection({ name, report }: { name: string; report: Report }) {
  const [chosen, choose] = useState<Cell | null>(null);
  const rows = matrixRows(report);
  const listed = confusionCells(report);
  return (
    <section id="confusion">
      <h2>{texts.understand.confusion}</h2>
      {rows.length > 0 ? (
        <>
          <p class="quiet">{texts.understand.matrixHow}</p>
          <ConfusionMatrix
            labels={report.confusion_matrix?.labels ?? []}
            rows={rows}
            chosen={chosen}
            onChoose={choose}
          />
        </>
      ) : listed.length > 0 ? (
        <>
          <p class="quiet">{texts.understand.confusionsHow}</p>
          <Confusions cells={listed} onChoose={choose} />
        </>
      ) : (
        <p>{texts.understand.noConfusion}</p>
      )}
      {chosen && (
        <CellPictures
          key={`${chosen.label}\n${chosen.named}`}
          name={name}
          report={report}
          cell={chosen}
          onClose={() => choose(null)}
        />
      )}
    </section>
  );
}

function Confusions({ cells, onChoose }: { cells: Cell[]; onChoose: (cell: Cell) => void }) {
  const [most, setMost] = useState(LISTED_FIRST);
  return (
    <>
      <ul class="plain bars">
        {cells.slice(0, most).map((cell) => (
          <li key={`${cell.label}\n${cell.named}`}>
            <button type="button" class="bar-row" onClick={() => onChoose(cell)}>
              <span>
                <bdi>{cell.label}</bdi>
              </span>
              <span class="bar" aria-hidden="true">
                <i class="other" style={{ width: `${100 * cell.share}%` }} />
              </span>
              <span class="count">{cell.count}</span>
              <span class="with">
                {texts.understand.takenFor} <bdi>{cell.named}</bdi>
              </span>
            </button>
          </li>
        ))}
      </ul>
      {cells.length > most && (
        <button type="button" onClick={() => setMost(most + 4 * LISTED_FIRST)}>
          {texts.understand.showMore(cells.length - most)}
        </button>
      )}
    </>
  );
}
