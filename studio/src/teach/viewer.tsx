import { useEffect, useState } from "preact/hooks";
import { api, body } from "../api/client";
import { imageUrl, thumbnailUrl } from "../api/pictures";
import type { components } from "../api/schema";
import { shownLabel } from "../classifier/labels";
import { Dialog } from "../components/dialog";
import { tellFailure } from "../components/toasts";
import { texts } from "../texts/texts";
import { move, remove } from "./changes";
import { ChooseClass } from "./choose-class";
import type { Picture } from "./class-pictures";
import { closePicture, opened, openPicture } from "./opened";
import type { Teaching } from "./teaching";

type Similar = components["schemas"]["SimilarImageOut"];
const MOST_SIMILAR = 12;

/** Dialog of the picture that was opened, with the ones beside it in its class. */
export function Viewer({ teaching, mayChange }: { teaching: Teaching; mayChange: boolean }) {
  const at = opened.value;
  const all = at ? teaching.pictures(at.label).all.value : [];
  const index = all.findIndex((one) => one.id === at?.id);
  const known = all[index];
  // Opened from a list of similar ones, a picture may be of a class that is not loaded so far.
  const [missing, setMissing] = useState(false);
  useEffect(() => {
    setMissing(false);
    if (at === null || known !== undefined) return;
    const everything = teaching.pictures(at.label).want(Number.POSITIVE_INFINITY);
    everything.then(() => setMissing(true), tellFailure);
  }, [at, known]);
  useEffect(() => {
    if (missing && known === undefined) closePicture();
  }, [missing, known]);
  if (at === null) return null;
  const picture = known ?? { id: at.id, filename: shownLabel(at.label) };
  const go = (by: number) => {
    const next = all[index + by];
    if (next) openPicture(at.label, next.id);
    void teaching.pictures(at.label).want(index + 200);
  };
  return (
    <Dialog title={picture.filename} wide onClose={closePicture}>
      <Large
        key={picture.id}
        teaching={teaching}
        label={at.label}
        picture={picture}
        mayChange={mayChange}
        onPrevious={index > 0 ? () => go(-1) : undefined}
        onNext={index + 1 < all.length ? () => go(1) : undefined}
      />
    </Dialog>
  );
}

interface LargeProps {
  teaching: Teaching;
  label: string;
  picture: Picture;
  mayChange: boolean;
  onPrevious?: () => void;
  onNext?: () => void;
}

function Large({ teaching, label, picture, mayChange, onPrevious, onNext }: LargeProps) {
  const [moving, setMoving] = useState(false);
  const [gone, setGone] = useState(false);
  const [similar, setSimilar] = useState<Similar[] | null>(null);
  const said = texts.teach.viewer;
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      if ((event.target as Element).closest("input, .strip")) return;
      if (event.key === "ArrowLeft") onPrevious?.();
      else if (event.key === "ArrowRight") onNext?.();
      else return;
      event.preventDefault();
    };
    document.addEventListener("keydown", onKeyDown);
    return () => document.removeEventListener("keydown", onKeyDown);
  }, [onPrevious, onNext]);
  const find = async () => {
    const params = { path: { name: teaching.name }, query: { limit: MOST_SIMILAR + 1 } };
    const asked = { images: [{ image_id: picture.id }] };
    const answer = await api.POST("/v1/classifiers/{name}/similar", {
      params,
      body: asked as components["schemas"]["SimilarToImage"],
    });
    setSimilar(body(answer).images.filter((one) => one.image_id !== picture.id));
  };
  const only = new Map([[picture.id, label]]);
  return (
    <>
      <div class="viewer-picture">
        <button
          type="button"
          aria-label={said.previous}
          disabled={!onPrevious}
          onClick={onPrevious}
        >
          ‹
        </button>
        {gone ? (
          <p class="quiet">{said.gone}</p>
        ) : (
          <img
            src={imageUrl(teaching.name, label, picture.id)}
            alt={picture.filename}
            onError={() => setGone(true)}
          />
        )}
        <button type="button" aria-label={said.next} disabled={!onNext} onClick={onNext}>
          ›
        </button>
      </div>
      <p class="viewer-facts quiet small">
        <bdi>{shownLabel(label)}</bdi>
        {picture.width && picture.height && <span>{said.size(picture.width, picture.height)}</span>}
        {picture.created_at && <span>{new Date(picture.created_at).toLocaleString()}</span>}
      </p>
      {similar && (
        <ul class="strip plain" aria-label={said.similar}>
          {similar.map((one) => (
            <li key={one.image_id}>
              <button type="button" onClick={() => openPicture(one.label, one.image_id)}>
                <figure>
                  <img src={thumbnailUrl(teaching.name, one.image_id)} alt={one.filename} />
                  <figcaption>
                    <bdi>{shownLabel(one.label)}</bdi> {texts.app.percent(one.similarity)}
                  </figcaption>
                </figure>
              </button>
            </li>
          ))}
        </ul>
      )}
      <div class="actions">
        {!similar && (
          <button type="button" onClick={() => find().catch(tellFailure)}>
            {said.similar}
          </button>
        )}
        {mayChange && (
          <>
            <button type="button" onClick={() => setMoving(true)}>
              {texts.teach.selection.move}
            </button>
            <button
              type="button"
              class="danger"
              onClick={() => {
                (onNext ?? onPrevious ?? closePicture)();
                remove(teaching, only).catch(tellFailure);
              }}
            >
              {texts.teach.selection.remove}
            </button>
          </>
        )}
      </div>
      {moving && (
        <ChooseClass
          title={texts.teach.selection.moveTitle(1)}
          except={label}
          onClose={() => setMoving(false)}
          onChoose={(to) => {
            setMoving(false);
            (onNext ?? onPrevious ?? closePicture)();
            move(teaching, only, to).catch(tellFailure);
          }}
        />
      )}
    </>
  );
}
