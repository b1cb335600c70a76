import { useState } from "preact/hooks";
import { allows } from "../session/session";
import { texts } from "../texts/texts";
import { type Picture, remove } from "./acts";
import { PictureButton } from "./picture";
import { settle, settled } from "./report";

/** A picture that can go, and the one of its class that stays. */
export interface Spare extends Picture {
  other: Picture;
  /** What the one is to the other. */
  said: string;
}

const FIRST = 6;
const MORE = 24;

/** Pictures that can go, each beside the one that stays. */
export function Spares({ name, spares }: { name: string; spares: Spare[] }) {
  const said = texts.understand;
  const [most, setMost] = useState(FIRST);
  const left = spares.filter((one) => !settled.value.has(one.image_id));
  const shown = left.slice(0, most);
  return (
    <>
      <div class="pairs">
        {shown.map((one) => (
          <SpareCard key={one.image_id} name={name} spare={one} />
        ))}
      </div>
      <div class="row">
        {left.length > most && (
          <button type="button" onClick={() => setMost(most + MORE)}>
            {said.showMore(left.length - most)}
          </button>
        )}
        {shown.length > 1 && allows("write") && (
          <button type="button" class="danger" onClick={() => remove(name, shown)}>
            {said.removeShown(shown.length)}
          </button>
        )}
      </div>
    </>
  );
}

function SpareCard({ name, spare }: { name: string; spare: Spare }) {
  const said = texts.understand;
  const [isBusy, setBusy] = useState(false);
  const removeIt = async () => {
    setBusy(true);
    await remove(name, [spare]);
    setBusy(false);
  };
  return (
    <figure aria-busy={isBusy}>
      <div class="two">
        <div>
          <PictureButton name={name} picture={spare} />
        </div>
        <div>
          <PictureButton name={name} picture={spare.other} />
        </div>
      </div>
      <figcaption>
        <b>
          <bdi>{spare.label}</bdi>
        </b>
        <bdi>{spare.filename}</bdi> {said.and} <bdi>{spare.other.filename}</bdi>, {spare.said}
        {allows("write") && (
          <div class="row">
            <button type="button" class="danger" disabled={isBusy} onClick={removeIt}>
              {said.removeLeft}
            </button>
            <button type="button" disabled={isBusy} onClick={() => settle([spare.image_id], true)}>
              {said.keepBoth}
            </button>
          </div>
        )}
      </figcaption>
    </figure>
  );
}
