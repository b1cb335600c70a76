import { type DroppedFile, readPasted } from "../components/dropped-files";
import { takeForAll, takeForClass } from "./intake";
import type { Teaching } from "./teaching";

/** Takes pictures that are pasted: of the class that the focus is in or the pointer is over. */
export function followPastes(teaching: Teaching): () => void {
  const onPaste = (event: ClipboardEvent) => {
    if (event.clipboardData === null) return;
    const files = named(readPasted(event.clipboardData));
    if (files.length === 0) return;
    event.preventDefault();
    const label = labelAt(document.activeElement) ?? labelAt(document.querySelector(HOVERED));
    if (label === null) takeForAll(teaching, files);
    else takeForClass(teaching, label, files);
  };
  document.addEventListener("paste", onPaste);
  return () => document.removeEventListener("paste", onPaste);
}

const HOVERED = "[data-label]:hover";

function labelAt(element: Element | null): string | null {
  return element?.closest("[data-label]")?.getAttribute("data-label") ?? null;
}

/** The clipboard's pictures have one name; the time makes them tell apart in a list. */
function named(files: DroppedFile[]): DroppedFile[] {
  const stamp = new Date().toISOString().slice(0, 19).replace(/:/g, "-");
  return files.map(({ file }, index) => {
    if (file.name !== "image.png") return { file, path: file.name };
    const name = `pasted-${stamp}-${index + 1}.png`;
    return { file: new File([file], name, { type: file.type }), path: name };
  });
}
