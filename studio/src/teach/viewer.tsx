import { signal } from "@preact/signals";

/** The picture that is shown large. */
export const opened = signal<{ label: string; id: string } | null>(null);

export function openPicture(label: string, id: string): void {
  opened.value = { label, id };
}
