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

/** Takes pictures however they come: dropped on it, pasted anywhere, chosen, or from the camera. */
export function PicturesInput({ small, onPictures, onLive, children }: Props) {
  const input = useRef<HTMLInputElement>(null);
  const [over, setOver] = useState(false);
  const take = (files: FileList | null | undefined) => {
    const { images, others } = imagesOf(files ?? []);
    if (others.length > 0) tell(texts.try.noPictures(others));
    if (images.length > 0) onPictures(images);
  };
  useEffect(() => {
    const onPaste = (event: ClipboardEvent) => {
      if (event.clipboardData?.files.length) take(event.clipboardData.files);
    };
    document.addEventListener("paste", onPaste);
    return () => document.removeEventListener("paste", onPaste);
  });
  const isFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: dropping has a button beside it
    <div
      class={`try${over ? " over" : ""}`}
      onDragOver={(event) => {
        if (!isFiles(event)) return;
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget as Node | null)) setOver(false);
      }}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        take(event.dataTransfer?.files);
      }}
    >
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
