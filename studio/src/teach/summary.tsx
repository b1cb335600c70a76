import { classes, classifier, NEGATIVES } from "../classifier/classifier";
import { pastOf, redo, undo } from "../classifier/undo";
import { texts } from "../texts/texts";
import { SelectionBar } from "./selection-bar";
import type { Teaching } from "./teaching";
import { UploadLine } from "./upload-bar";

/** Line that stays in view: what there is, how it is, and the way back. */
export function Summary({ teaching, mayChange }: { teaching: Teaching; mayChange: boolean }) {
  const now = classifier.value;
  if (now === null) return null;
  const nClasses = classes.value.filter((one) => one.label !== NEGATIVES).length;
  const busy = teaching.uploads.busy.value;
  const { done, undone } = pastOf(teaching.name);
  return (
    <div class="summary">
      <span>
        <b>{texts.app.classes(nClasses)}</b> · <b>{texts.app.pictures(now.n_images)}</b>
      </span>
      {busy ? (
        <UploadLine teaching={teaching} />
      ) : (
        <span class="quiet" role="status">
          {stateText(nClasses, now.tuning.state)}
        </span>
      )}
      {mayChange && (
        <span class="summary-acts">
          <button
            type="button"
            disabled={busy || done.value.length === 0}
            title={done.value.at(-1)?.text}
            onClick={() => void undo(teaching.name)}
          >
            {texts.app.undo}
          </button>
          <button
            type="button"
            disabled={busy || undone.value.length === 0}
            title={undone.value.at(-1)?.text}
            onClick={() => void redo(teaching.name)}
          >
            {texts.teach.undo.redo}
          </button>
        </span>
      )}
      {!mayChange && <span class="quiet">{texts.app.readOnly}</span>}
      <SelectionBar teaching={teaching} mayChange={mayChange} />
    </div>
  );
}

function stateText(nClasses: number, state: "current" | "running" | "stale"): string {
  if (nClasses < 2) return texts.teach.tooFew;
  if (state === "running") return texts.teach.adjusting;
  return state === "stale" ? texts.teach.adjustingLater : texts.teach.ready;
}
