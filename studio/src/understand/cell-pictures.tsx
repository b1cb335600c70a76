import { useEffect, useMemo, useRef } from "preact/hooks";
import { tellFailure } from "../components/toasts";
import { allows } from "../session/session";
import { texts } from "../texts/texts";
import { move } from "./acts";
import { type NamedPicture, CellPictures as Pictures } from "./cell";
import type { Cell } from "./confusions";
import { MoveOrKeep } from "./move-or-keep";
import { PictureButton } from "./picture";
import { type Report, settled } from "./report";

interface Props {
  name: string;
  /** They are looked up anew with each new one. */
  report: Report;
  cell: Cell;
  onClose: () => void;
}

/** Pictures of a cell of the confusion matrix, with what can be done about them. */
export function CellPictures({ name, report, cell, onClose }: Props) {
  const heading = useRef<HTMLHeadingElement>(null);
  const pictures = useMemo(() => new Pictures(name, cell), [name, cell.label, cell.named]);
  useEffect(() => heading.current?.focus(), [pictures]);
  useEffect(() => {
    pictures.load().catch(tellFailure);
  }, [pictures, report]);
  // What was moved is in the list until the next report; it must not come up again until then.
  useEffect(() => pictures.drop(settled.value), [pictures, settled.value]);
  const shown = pictures.shown.value.filter((one) => !settled.value.has(one.image_id));
  const isRight = cell.label === cell.named;
  const left = pictures.left.value;
  return (
    <div class="cell-pictures">
      <div class="dialog-head">
        <h3 ref={heading} tabIndex={-1}>
          {texts.understand.cell(pictures.of.value ?? cell.count, cell.label, cell.named)}
        </h3>
        <button type="button" class="icon" aria-label={texts.app.close} onClick={onClose}>
          ×
        </button>
      </div>
      {isRight && <p class="quiet">{texts.understand.rightCell}</p>}
      {pictures.of.value === null && <p class="quiet">{texts.app.loading}</p>}
      <div class="pairs cell-grid">
        {shown.map((one) => (
          <Card key={one.image_id} name={name} picture={one} />
        ))}
      </div>
      <div class="row">
        {left > 0 && (
          <button type="button" onClick={() => pictures.more().catch(tellFailure)}>
            {texts.understand.showMore(left)}
          </button>
        )}
        {!isRight && shown.length > 1 && allows("write") && (
          <button type="button" onClick={() => move(name, [...shown], cell.named)}>
            {texts.understand.moveShown(shown.length)} <bdi>{cell.named}</bdi>
          </button>
        )}
      </div>
    </div>
  );
}

function Card({ name, picture: one }: { name: string; picture: NamedPicture }) {
  const isRight = one.label === one.named;
  return (
    <figure>
      <PictureButton name={name} picture={one} />
      <figcaption>
        <span class="named">
          <bdi class={isRight ? "" : "other"}>{one.named}</bdi> {texts.app.percent(one.probability)}
        </span>
        {!isRight && (
          <span class="named">
            <bdi>{one.label}</bdi> {texts.app.percent(one.own_probability)}
          </span>
        )}
        <bdi class="file">{one.filename}</bdi>
        {!isRight && <MoveOrKeep name={name} picture={one} />}
      </figcaption>
    </figure>
  );
}
