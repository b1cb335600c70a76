import { useState } from "preact/hooks";
import { type ClassSummary, NEGATIVES } from "../classifier/classifier";
import { shownLabel } from "../classifier/labels";
import { holdsFiles, readDrop } from "../components/dropped-files";
import { Menu } from "../components/menu";
import { tellFailure } from "../components/toasts";
import { useNear } from "../components/use-near";
import { texts } from "../texts/texts";
import { CameraPanel } from "./camera-panel";
import { deleteClass, mergeClass, move } from "./changes";
import { ChooseClass } from "./choose-class";
import { ClassGrid } from "./class-grid";
import { ClassHints } from "./class-hints";
import { holdsPictures } from "./dragging";
import { FilePicker } from "./file-picker";
import { takeForClass } from "./intake";
import { RenameClass } from "./rename-class";
import type { Teaching } from "./teaching";

interface Props {
  teaching: Teaching;
  shown: ClassSummary;
  mayChange: boolean;
}

/** A class with its pictures; what is dropped on it goes to it. */
export function ClassCard({ teaching, shown, mayChange }: Props) {
  const { label } = shown;
  const name = shownLabel(label);
  const [over, setOver] = useState(false);
  const [large, setLarge] = useState(false);
  const [doing, setDoing] = useState<"rename" | "merge" | "camera" | null>(null);
  const [near, card] = useNear("400px");
  const pending = teaching.uploads.pending.value.get(label)?.length ?? 0;
  const pictures = teaching.pictures(label);
  const registered = pictures.complete.value ? pictures.all.value.length : shown.n_images;
  const endRename = () => {
    setDoing(null);
    card.current?.querySelector<HTMLElement>(".menu > button")?.focus();
  };
  const endCamera = () => {
    setDoing(null);
    // Shown again only once this is drawn.
    setTimeout(() => card.current?.querySelector<HTMLElement>(".open-camera")?.focus());
  };
  const negatives = label === NEGATIVES;
  const accepts = (event: DragEvent) =>
    mayChange && (holdsFiles(event.dataTransfer) || holdsPictures(event.dataTransfer));
  const drop = async (event: DragEvent) => {
    if (!accepts(event) || event.dataTransfer === null) return;
    event.preventDefault();
    event.stopPropagation();
    setOver(false);
    try {
      if (holdsPictures(event.dataTransfer)) {
        await move(teaching, teaching.selection.chosen.value, label);
      } else takeForClass(teaching, label, await readDrop(event.dataTransfer));
    } catch (error) {
      tellFailure(error);
    }
  };
  return (
    <section
      ref={card}
      class={`class-card${over ? " over" : ""}${large ? " large" : ""}`}
      aria-label={name}
      data-label={label}
      onDragOver={(event) => {
        if (!accepts(event)) return;
        event.preventDefault();
        event.stopPropagation();
        setOver(true);
      }}
      onDragLeave={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget as Node | null)) setOver(false);
      }}
      onDrop={drop}
    >
      <div class="class-head">
        {doing === "rename" ? (
          <RenameClass teaching={teaching} label={label} onEnd={endRename} />
        ) : (
          <h2>
            <bdi>{name}</bdi>
          </h2>
        )}
        <span class="quiet small">{texts.app.pictures(registered)}</span>
        <button
          type="button"
          class="icon"
          aria-pressed={large}
          aria-label={large ? texts.teach.smaller : texts.teach.larger}
          title={large ? texts.teach.smaller : texts.teach.larger}
          onClick={() => setLarge(!large)}
        >
          {large ? "⤡" : "⤢"}
        </button>
        {mayChange && (
          <Menu label={texts.teach.more(name)}>
            {registered > 0 && (
              <button type="button" onClick={() => teaching.selectAll(label).catch(tellFailure)}>
                {texts.teach.selectAll}
              </button>
            )}
            {!negatives && (
              <>
                <button type="button" onClick={() => setDoing("rename")}>
                  {texts.teach.rename}
                </button>
                <button type="button" onClick={() => setDoing("merge")}>
                  {texts.teach.merge}
                </button>
              </>
            )}
            <button
              type="button"
              class="danger"
              onClick={() => deleteClass(teaching, label).catch(tellFailure)}
            >
              {texts.teach.deleteClass}
            </button>
          </Menu>
        )}
      </div>
      {negatives && <p class="quiet small">{texts.teach.negativesWhat}</p>}
      {registered + pending === 0 && (
        <p class="quiet small">{negatives ? texts.teach.noNegatives : texts.teach.noPictures}</p>
      )}
      {doing === "camera" && <CameraPanel teaching={teaching} label={label} onClose={endCamera} />}
      {near && <ClassHints teaching={teaching} label={label} mayChange={mayChange} />}
      {near && <ClassGrid teaching={teaching} shown={shown} large={large} mayChange={mayChange} />}
      {mayChange && (
        <div class="class-foot">
          <FilePicker
            text={texts.teach.addPictures}
            label={texts.teach.addTo(name)}
            onFiles={(files) => takeForClass(teaching, label, files)}
          />
          {doing !== "camera" && (
            <button
              type="button"
              class="open-camera"
              aria-label={texts.teach.camera.openFor(name)}
              onClick={() => setDoing("camera")}
            >
              {texts.teach.camera.open}
            </button>
          )}
        </div>
      )}
      {over && <div class="drop-veil">{texts.teach.dropOn(name)}</div>}
      {doing === "merge" && (
        <ChooseClass
          title={texts.teach.mergeTitle(name)}
          except={label}
          any={false}
          onClose={() => setDoing(null)}
          onChoose={(into) => {
            setDoing(null);
            mergeClass(teaching, label, into).catch(tellFailure);
          }}
        />
      )}
    </section>
  );
}
