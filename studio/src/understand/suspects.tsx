import { useState } from "preact/hooks";
import { texts } from "../texts/texts";
import type { Suspect } from "./confusions";
import { MoveOrKeep } from "./move-or-keep";
import { PictureButton } from "./picture";
import { settled } from "./report";

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
  return (
    <figure>
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
        <MoveOrKeep name={name} picture={one} />
      </figcaption>
    </figure>
  );
}
