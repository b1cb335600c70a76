import { signal } from "@preact/signals";

/** The picture that is shown large, and the class that it is of. */
export const opened = signal<{ label: string; id: string } | null>(null);

export function openPicture(label: string, id: string): void {
  opened.value = { label, id };
}

export function closePicture(): void {
  opened.value = null;
}
