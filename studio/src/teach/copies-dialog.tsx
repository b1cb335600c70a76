import { thumbnailUrl } from "../api/pictures";
import { shownLabel } from "../classifier/labels";
import { Dialog } from "../components/dialog";
import { tellFailure } from "../components/toasts";
import { texts } from "../texts/texts";
import { keep, type Spare } from "./advice";
import { remove } from "./changes";
import type { Teaching } from "./teaching";

interface Props {
  teaching: Teaching;
  label: string;
  copies: readonly Spare[];
  mayChange: boolean;
  onClose: () => void;
}

/** Dialog of pictures that are nearly the same as others of their class. */
export function CopiesDialog({ teaching, label, copies, mayChange, onClose }: Props) {
  const said = texts.teach.advice;
  const ids = copies.map((one) => one.image_id);
  const small = (id: string, name: string) => (
    <img src={thumbnailUrl(teaching.name, id)} alt={name} decoding="async" />
  );
  return (
    <Dialog title={said.copiesTitle(shownLabel(label))} onClose={onClose}>
      <p>{said.copiesWhat}</p>
      <ul class="copies plain">
        {copies.map((one) => (
          <li key={one.image_id}>
            {small(one.image_id, one.filename)}
            <span class="quiet small">{said.copyOf}</span>
            {small(one.similar.image_id, one.similar.filename)}
          </li>
        ))}
      </ul>
      <div class="actions">
        <button
          type="button"
          onClick={() => {
            keep(ids);
            onClose();
          }}
        >
          {said.keepAll}
        </button>
        {mayChange && (
          <button
            type="button"
            class="danger"
            onClick={() => {
              onClose();
              remove(teaching, new Map(ids.map((id) => [id, label]))).catch(tellFailure);
            }}
          >
            {said.removeCopies(ids.length)}
          </button>
        )}
      </div>
    </Dialog>
  );
}
