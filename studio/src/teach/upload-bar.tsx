import { texts } from "../texts/texts";
import { archives } from "./intake";
import type { Teaching } from "./teaching";

/** How far the pictures on their way are. In the line that stays: nothing below moves by it. */
export function UploadLine({ teaching }: { teaching: Teaching }) {
  const { uploads } = teaching;
  const { label, progress, cancel } = texts.teach.uploads;
  const total = uploads.total.value;
  const finished = uploads.finished.value;
  return (
    <span class="upload-line">
      <progress aria-label={label} max={total} value={finished} />
      <span class="quiet">{progress(finished, total)}</span>
      <button type="button" onClick={() => uploads.cancel()}>
        {cancel}
      </button>
    </span>
  );
}

/** What of the uploads needs the user, and archives, which are sent as they are. */
export function UploadBar({ teaching }: { teaching: Teaching }) {
  const { uploads } = teaching;
  const status = uploads.status.value;
  const skipped = teaching.skipped.value;
  const refused = uploads.refused.value;
  return (
    <div class="upload-bar">
      <div role="status">
        {status === "waiting" && <p class="notice">{texts.teach.uploads.waiting}</p>}
        {status === "halted" && (
          <p class="notice bad">
            {texts.teach.uploads.halted}{" "}
            <button type="button" onClick={() => uploads.goOn()}>
              {texts.teach.uploads.again}
            </button>
          </p>
        )}
        {refused.length > 0 && status === "idle" && (
          <p class="notice bad">
            {texts.teach.uploads.refused(refused.length)}{" "}
            <button type="button" class="link" onClick={() => uploads.dismiss(refused)}>
              {texts.teach.uploads.dismissAll}
            </button>
          </p>
        )}
      </div>
      {archives.value.map((one) => (
        <div class="notice upload-line" key={one.name}>
          <progress aria-label={one.name} {...(one.share < 1 && { value: one.share })} />
          <span dir="auto">
            {one.share < 1
              ? texts.teach.uploads.archive(one.name)
              : texts.teach.uploads.archiveWorks(one.name)}
          </span>
          <button type="button" onClick={one.cancel}>
            {texts.teach.uploads.cancel}
          </button>
        </div>
      ))}
      {skipped.length > 0 && (
        <details class="notice">
          <summary>{texts.teach.uploads.skipped(skipped.length)}</summary>
          <ul class="small skipped">
            {skipped.slice(0, 200).map((one) => (
              <li key={one.file} dir="auto">
                {one.file}: {one.reason}
              </li>
            ))}
          </ul>
          <button
            type="button"
            onClick={() => {
              teaching.skipped.value = [];
            }}
          >
            {texts.teach.uploads.hide}
          </button>
        </details>
      )}
    </div>
  );
}
