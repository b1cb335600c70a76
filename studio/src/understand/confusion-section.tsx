import { useEffect, useRef, useState } from "preact/hooks";
import { allows } from "../session/session";
import { texts } from "../texts/texts";
import { move } from "./acts";
import { ConfusionMatrix } from "./confusion-matrix";
import { type Cell, confusionCells, matrixRows, picturesOf } from "./confusions";
import { type Report, settled } from "./report";
import { Suspects } from "./suspects";

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

interface CellProps {
  name: string;
  report: Report;
  cell: Cell;
  onClose: () => void;
}

/** Pictures of a cell. The report names those that look mislabelled, and no others. */
function CellPictures({ name, report, cell, onClose }: CellProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  const isRight = cell.label === cell.named;
  const found = picturesOf(report, cell).filter((one) => !settled.value.has(one.image_id));
  const row = confusionCells(report).find(
    (one) => one.label === cell.label && one.named === cell.named,
  );
  // The report may be newer than the click.
  const count = isRight ? cell.count : (row?.count ?? 0);
  return (
    <div class="cell-pictures">
      <div class="dialog-head">
        <h3 ref={heading} tabIndex={-1}>
          {texts.understand.cell(count, cell.label, cell.named)}
        </h3>
        <button type="button" class="icon" aria-label={texts.app.close} onClick={onClose}>
          ×
        </button>
      </div>
      {isRight ? (
        <p class="quiet">{texts.understand.rightCell}</p>
      ) : (
        <>
          {count > 0 && <p class="quiet">{texts.understand.ofThese(found.length, count)}</p>}
          <Suspects name={name} suspects={found} first={12} />
          {found.length > 1 && allows("write") && (
            <button type="button" onClick={() => move(name, found, cell.named)}>
              {texts.understand.moveAll(found.length)} <bdi>{cell.named}</bdi>
            </button>
          )}
        </>
      )}
    </div>
  );
}
