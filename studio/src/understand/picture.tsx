import { signal } from "@preact/signals";
import { useState } from "preact/hooks";
import { imageUrl, thumbnailUrl } from "../api/pictures";
import { classes } from "../classifier/classifier";
import { shownLabel } from "../classifier/labels";
import { Dialog } from "../components/dialog";
import { allows } from "../session/session";
import { texts } from "../texts/texts";
import { move, type Picture, remove } from "./acts";

/** The picture that is shown large. */
export const opened = signal<Picture | null>(null);

/** Small picture that opens large. */
export function PictureButton({ name, picture }: { name: string; picture: Picture }) {
  const [isMissing, setMissing] = useState(false);
  const said = picture.filename || shownLabel(picture.label);
  if (isMissing) {
    return (
      <div class="frame">
        <span>
          <bdi>{said}</bdi>
          <br />
          {texts.understand.cannotShow}
        </span>
      </div>
    );
  }
  return (
    <button
      type="button"
      class="frame"
      aria-label={texts.understand.openPicture(said, picture.label)}
      onClick={() => {
        opened.value = picture;
      }}
    >
      <img
        src={thumbnailUrl(name, picture.image_id)}
        alt=""
        loading="lazy"
        decoding="async"
        onError={() => setMissing(true)}
      />
    </button>
  );
}

/** The picture that was opened, with what can be done about it. */
export function OpenedPicture({ name }: { name: string }) {
  const picture = opened.value;
  if (picture === null) return null;
  const close = () => {
    opened.value = null;
  };
  const act = (done: Promise<void>) => done.then(close);
  return (
    <Dialog title={picture.filename || shownLabel(picture.label)} onClose={close}>
      <img
        class="large-picture"
        src={imageUrl(name, picture.label, picture.image_id)}
        alt={picture.filename || shownLabel(picture.label)}
      />
      <p class="quiet">
        {texts.understand.isIn} <bdi>{shownLabel(picture.label)}</bdi>
      </p>
      {allows("write") && (
        <div class="actions">
          <select
            aria-label={texts.understand.moveTo}
            value=""
            onChange={(event) => act(move(name, [picture], event.currentTarget.value))}
          >
            <option value="" disabled>
              {texts.understand.moveTo}
            </option>
            {classes.value
              .filter((one) => one.label !== picture.label)
              .map((one) => (
                <option key={one.label} value={one.label}>
                  {shownLabel(one.label)}
                </option>
              ))}
          </select>
          <button type="button" class="danger" onClick={() => act(remove(name, [picture]))}>
            {texts.understand.remove}
          </button>
        </div>
      )}
    </Dialog>
  );
}
