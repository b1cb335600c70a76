import { useEffect, useState } from "preact/hooks";
import { thumbnailUrl } from "../api/pictures";
import { texts } from "../texts/texts";
import type { Picture } from "./class-pictures";
import { previewOf } from "./previews";
import type { Pending } from "./sending";
import type { Teaching } from "./teaching";

interface PictureProps {
  teaching: Teaching;
  picture: Picture;
  onOpen: () => void;
}

/** A picture that is registered. Its button is for the pointer: Enter opens what the grid is at. */
export function PictureTile({ teaching, picture, onOpen }: PictureProps) {
  return (
    <>
      <img
        src={thumbnailUrl(teaching.name, picture.id)}
        alt={picture.filename}
        decoding="async"
        draggable={false}
      />
      <button
        type="button"
        class="tile-open"
        tabIndex={-1}
        aria-hidden="true"
        title={texts.teach.open(picture.filename)}
        onClick={onOpen}
      />
    </>
  );
}

/** A picture on its way, or one that was refused, with the reason on it. */
export function PendingTile({ teaching, pending }: { teaching: Teaching; pending: Pending }) {
  const url = usePreview(pending.file);
  const state = pending.state.value;
  const name = pending.file.name;
  if (state.kind === "refused") {
    return (
      <div class="tile-refused">
        <span dir="auto" title={texts.teach.refused(name, state.reason)}>
          <b>{name}</b> {state.reason}
        </span>
        <button
          type="button"
          class="icon"
          aria-label={texts.teach.dismiss(name)}
          onClick={() => teaching.uploads.dismiss([pending])}
        >
          ×
        </button>
      </div>
    );
  }
  return (
    <>
      {url && <img class="tile-pending" src={url} alt={name} decoding="async" draggable={false} />}
      <progress
        class="tile-progress"
        aria-label={state.kind === "sending" ? texts.teach.sending : texts.teach.waiting}
        value={state.kind === "sending" ? state.share.value : 0}
      />
    </>
  );
}

/** Address of a small picture of a file of the machine, as long as something shows it. */
function usePreview(file: File): string | null {
  const [url, setUrl] = useState<string | null>(null);
  useEffect(() => {
    const abort = new AbortController();
    let made: string | null = null;
    void previewOf(file, abort.signal).then((blob) => {
      if (abort.signal.aborted) return;
      made = URL.createObjectURL(blob);
      setUrl(made);
    });
    return () => {
      abort.abort();
      if (made !== null) URL.revokeObjectURL(made);
    };
  }, [file]);
  return url;
}
