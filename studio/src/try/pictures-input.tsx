import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { tell } from "../components/toasts";
import { texts } from "../texts/texts";
import { imagesOf } from "./images-of";

interface Props {
  /** Whether something is shown already, and this is beside it. */
  small: boolean;
  onPictures: (pictures: { file: Blob; name: string }[]) => void;
  onLive: () => void;
  children: ComponentChildren;
}

/** Takes pictures however they come: dropped or pasted anywhere, chosen, or from the camera. */
export function PicturesInput({ small, onPictures, onLive, children }: Props) {
  const input = useRef<HTMLInputElement>(null);
  const [over, setOver] = useState(false);
  const take = (files: FileList | null | undefined) => {
    const { images, others } = imagesOf(files ?? []);
    if (others.length > 0) tell(texts.try.noPictures(others));
    if (images.length > 0) onPictures(images);
  };
  useEffect(() => {
    const isFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
    const handlers = {
      paste: (event: ClipboardEvent) => {
        if (event.clipboardData?.files.length) take(event.clipboardData.files);
      },
      dragover: (event: DragEvent) => {
        if (!isFiles(event)) return;
        event.preventDefault();
        setOver(true);
      },
      dragleave: (event: DragEvent) => {
        if (event.relatedTarget === null) setOver(false);
      },
      // Anywhere: a browser leaves the page for a picture that is dropped beside.
      drop: (event: DragEvent) => {
        if (!isFiles(event)) return;
        event.preventDefault();
        setOver(false);
        take(event.dataTransfer?.files);
      },
    };
    const entries = Object.entries(handlers) as [string, (event: Event) => void][];
    for (const [type, handler] of entries) document.addEventListener(type, handler);
    return () => {
      for (const [type, handler] of entries) document.removeEventListener(type, handler);
    };
  });
  return (
    <div class={over ? "try over" : "try"}>
      <div class={small ? "try-take small-try-take" : "try-take"}>
        {!small && <h2>{texts.try.title}</h2>}
        {!small && <p class="quiet">{texts.try.how}</p>}
        <button type="button" class="primary" onClick={() => input.current?.click()}>
          {texts.try.choose}
        </button>
        <button type="button" onClick={onLive}>
          {texts.try.live}
        </button>
        <input
          ref={input}
          type="file"
          accept="image/*"
          multiple
          hidden
          aria-label={texts.try.choose}
          onChange={(event) => {
            take(event.currentTarget.files);
            event.currentTarget.value = "";
          }}
        />
        {small && <span class="quiet small drop-hint">{texts.try.dropHint}</span>}
      </div>
      {children}
    </div>
  );
}
