import { useEffect, useMemo, useState } from "preact/hooks";
import { type ClassSummary, classes, NEGATIVES } from "../classifier/classifier";
import { holdsFiles, readDrop } from "../components/dropped-files";
import { tellFailure } from "../components/toasts";
import { allows } from "../session/session";
import { texts } from "../texts/texts";
import { followAdvice } from "./advice";
import { remove } from "./changes";
import { ChooseClass } from "./choose-class";
import { ClassCard } from "./class-card";
import { FilePicker } from "./file-picker";
import { homeless, takeForAll } from "./intake";
import { NewClass } from "./new-class";
import { followPastes } from "./pasting";
import { Summary } from "./summary";
import "./teach.css";
import { closePicture } from "./opened";
import { type Teaching, teaching as teachingOf } from "./teaching";
import { UploadBar } from "./upload-bar";
import { Viewer } from "./viewer";

/** Page of a classifier's classes and pictures. */
export function TeachPage({ name }: { name: string }) {
  const teaching = useMemo(() => teachingOf(name), [name]);
  const mayChange = allows("write");
  useEffect(() => teaching.follow(), [teaching]);
  useEffect(() => followAdvice(teaching), [teaching]);
  useEffect(() => (mayChange ? followPastes(teaching) : undefined), [teaching, mayChange]);
  useEffect(
    () => () => {
      teaching.selection.clear();
      closePicture();
      homeless.value = [];
    },
    [teaching],
  );
  useKeys(teaching, mayChange);
  const over = usePageDrop(teaching, mayChange);
  const shown = shownClasses(teaching, mayChange);
  const empty = shown.every((one) => one.label === NEGATIVES && one.n_images === 0);
  return (
    <div class="teach">
      <Summary teaching={teaching} mayChange={mayChange} />
      <UploadBar teaching={teaching} />
      {mayChange && (
        <div class={empty ? "beginning empty" : "beginning"}>
          {empty && (
            <>
              <h2>{texts.teach.empty}</h2>
              <p>{texts.teach.emptyHow}</p>
            </>
          )}
          <NewClass teaching={teaching} />
          <div class="row">
            <FilePicker
              kind="folder"
              text={texts.teach.addFolders}
              onFiles={(files) => takeForAll(teaching, files)}
            />
            <FilePicker
              kind="zip"
              text={texts.teach.addZip}
              onFiles={(files) => takeForAll(teaching, files)}
            />
          </div>
          {empty && <p class="quiet small">{texts.teach.emptyNames}</p>}
        </div>
      )}
      <div class="class-cards">
        {shown.map((one) => (
          <ClassCard key={one.label} teaching={teaching} shown={one} mayChange={mayChange} />
        ))}
      </div>
      <Viewer teaching={teaching} mayChange={mayChange} />
      {homeless.value.length > 0 && (
        <ChooseClass
          title={texts.teach.where(homeless.value.length)}
          onClose={() => {
            homeless.value = [];
          }}
          onChoose={(label) => {
            teaching.uploads.add(label, homeless.value);
            homeless.value = [];
          }}
        />
      )}
      {over && (
        <div class="page-veil" aria-hidden="true">
          {texts.teach.dropOutside}
        </div>
      )}
    </div>
  );
}

/** The service's classes, those that pictures are on their way to, and last what is unknown. */
function shownClasses(teaching: Teaching, mayChange: boolean): ClassSummary[] {
  const known = classes.value.filter((one) => one.label !== NEGATIVES);
  const labels = new Set(classes.value.map((one) => one.label));
  const coming = [...teaching.uploads.pending.value.keys()]
    .filter((label) => !labels.has(label) && label !== NEGATIVES)
    .map((label) => ({ label, n_images: 0 }));
  const negatives = classes.value.find((one) => one.label === NEGATIVES);
  const shown = [...known, ...coming];
  if (negatives) shown.push(negatives);
  else if (shown.length > 0 && mayChange) shown.push({ label: NEGATIVES, n_images: 0 });
  return shown;
}

function useKeys(teaching: Teaching, mayChange: boolean): void {
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      const target = event.target as Element;
      if (target.closest("input, textarea, select, dialog")) return;
      const key = event.key.toLowerCase();
      if (key === "escape") teaching.selection.clear();
      else if ((key === "delete" || key === "backspace") && mayChange) {
        remove(teaching, teaching.selection.chosen.value).catch(tellFailure);
      }
    };
    document.addEventListener("keydown", onKeyDown);
    return () => document.removeEventListener("keydown", onKeyDown);
  }, [teaching, mayChange]);
}

/** Takes what is dropped beside the classes; true while files are dragged over the page. */
function usePageDrop(teaching: Teaching, mayChange: boolean): boolean {
  const [over, setOver] = useState(false);
  useEffect(() => {
    if (!mayChange) return;
    const onDragOver = (event: DragEvent) => {
      if (!holdsFiles(event.dataTransfer)) return;
      event.preventDefault();
      setOver(true);
    };
    const onDragLeave = (event: DragEvent) => event.relatedTarget === null && setOver(false);
    const onDrop = async (event: DragEvent) => {
      setOver(false);
      if (!holdsFiles(event.dataTransfer) || event.dataTransfer === null) return;
      event.preventDefault();
      takeForAll(teaching, await readDrop(event.dataTransfer));
    };
    // A class takes the events that are its own, and the page is no target then.
    const onAny = () => setOver(false);
    window.addEventListener("dragover", onAny, true);
    window.addEventListener("drop", onAny, true);
    window.addEventListener("dragover", onDragOver);
    window.addEventListener("dragleave", onDragLeave);
    window.addEventListener("drop", onDrop);
    return () => {
      window.removeEventListener("dragover", onAny, true);
      window.removeEventListener("drop", onAny, true);
      window.removeEventListener("dragover", onDragOver);
      window.removeEventListener("dragleave", onDragLeave);
      window.removeEventListener("drop", onDrop);
    };
  }, [teaching, mayChange]);
  return over;
}
