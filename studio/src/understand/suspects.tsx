import { useState } from "preact/hooks";
import { allows } from "../session/session";
import { texts } from "../texts/texts";
import { move } from "./acts";
import type { Suspect } from "./confusions";
import { PictureButton } from "./picture";
import { settle, settled } from "./report";

interface Props {
  name: string;
  suspects: Suspect[];
  /** How many are shown before one asks for more. */
  first: number;
}

/** Pictures that look mislabelled, each beside one of the class that they look like. */
export function Suspects({ name, suspects, first }: Props) {
  const [most, setMost] = useState(first);
  const left = suspects.filter((one) => !settled.value.has(one.image_id));
  return (
    <>
      <div class="pairs">
        {left.slice(0, most).map((one) => (
          <SuspectCard key={one.image_id} name={name} suspect={one} />
        ))}
      </div>
      {left.length > most && (
        <button type="button" onClick={() => setMost(most + 24)}>
          {texts.understand.showMore(left.length - most)}
        </button>
      )}
    </>
  );
}

function SuspectCard({ name, suspect: one }: { name: string; suspect: Suspect }) {
  const [isBusy, setBusy] = useState(false);
  const moveIt = async () => {
    setBusy(true);
    await move(name, [one], one.named);
    setBusy(false);
  };
  return (
    <figure aria-busy={isBusy}>
      <div class="two">
        <div>
          <PictureButton name={name} picture={one} />
          <div class="what">
            {texts.understand.registeredAs}
            <b>
              <bdi>{one.label}</bdi>
            </b>
            {texts.app.percent(one.own_probability)}
          </div>
        </div>
        <div>
          {one.nearest ? (
            <PictureButton name={name} picture={one.nearest} />
          ) : (
            <div class="frame">
              <span>{texts.understand.knownByName}</span>
            </div>
          )}
          <div class="what">
            {texts.understand.looksLike}
            <b class="other">
              <bdi>{one.named}</bdi>
            </b>
            {texts.app.percent(one.probability)}
          </div>
        </div>
      </div>
      <figcaption>
        <bdi>{one.filename}</bdi>
        {allows("write") && (
          <div class="row">
            <button type="button" disabled={isBusy} onClick={moveIt}>
              {texts.understand.moveToClass} <bdi>{one.named}</bdi>
            </button>
            <button type="button" disabled={isBusy} onClick={() => settle([one.image_id], true)}>
              {texts.understand.keep}
            </button>
          </div>
        )}
      </figcaption>
    </figure>
  );
}
