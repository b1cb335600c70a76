import { useState } from "preact/hooks";
import { imageUrl } from "../api/pictures";
import { shownLabel } from "../classifier/labels";
import { Dialog } from "../components/dialog";
import { tellFailure } from "../components/toasts";
import { texts } from "../texts/texts";
import { keep, type Suspect } from "./advice";
import { move } from "./changes";
import type { Teaching } from "./teaching";

interface Props {
  teaching: Teaching;
  suspects: readonly Suspect[];
  mayChange: boolean;
  onClose: () => void;
}

/** Dialog of pictures that look as if they were of another class, one after the other. */
export function SuspectsDialog({ teaching, suspects, mayChange, onClose }: Props) {
  // As they were when it was opened: those that are decided leave the advice meanwhile.
  const [all] = useState(suspects);
  const [at, setAt] = useState(0);
  const said = texts.teach.advice;
  const one = all[at];
  if (one === undefined) return null;
  const next = () => (at + 1 < all.length ? setAt(at + 1) : onClose());
  const moveThere = () => {
    keep([one.image_id]);
    next();
    move(teaching, new Map([[one.image_id, one.label]]), one.named).catch(tellFailure);
  };
  const stay = () => {
    keep([one.image_id]);
    next();
  };
  const picture = (label: string, id: string) => imageUrl(teaching.name, label, id);
  return (
    <Dialog title={said.suspectTitle} onClose={onClose}>
      <p dir="auto">{said.suspect(shownLabel(one.label), shownLabel(one.named))}</p>
      <div class="pair">
        <figure>
          <img src={picture(one.label, one.image_id)} alt={one.filename} />
          <figcaption class="small quiet">
            <bdi>{one.filename}</bdi>
          </figcaption>
        </figure>
        {one.nearest && (
          <figure>
            <img
              src={picture(one.nearest.label, one.nearest.image_id)}
              alt={one.nearest.filename}
            />
            <figcaption class="small quiet" dir="auto">
              {said.nearest(shownLabel(one.nearest.label))}
            </figcaption>
          </figure>
        )}
      </div>
      <div class="actions" key={one.image_id}>
        {all.length > 1 && <span class="quiet small">{said.progress(at + 1, all.length)}</span>}
        <button type="button" onClick={stay}>
          {said.keep(shownLabel(one.label))}
        </button>
        {mayChange && (
          <button type="button" class="primary" onClick={moveThere}>
            {said.moveTo(shownLabel(one.named))}
          </button>
        )}
      </div>
    </Dialog>
  );
}
