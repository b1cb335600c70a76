import { texts } from "../texts/texts";

const KIND = "application/x-handful-pictures";

/** Begins to drag the pictures that are selected; what is seen of them is their number. */
export function setDragged(event: DragEvent, count: number): void {
  if (event.dataTransfer === null) return;
  event.dataTransfer.setData(KIND, String(count));
  event.dataTransfer.effectAllowed = "move";
  const badge = document.createElement("div");
  badge.className = "drag-badge";
  badge.textContent = texts.app.pictures(count);
  document.body.append(badge);
  event.dataTransfer.setDragImage(badge, 12, 12);
  // The browser takes its likeness at once; then it is not needed.
  setTimeout(() => badge.remove());
}

/** Whether what is dragged is pictures of this page. */
export function holdsPictures(transfer: DataTransfer | null): boolean {
  return transfer?.types.includes(KIND) ?? false;
}
