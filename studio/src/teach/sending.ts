import type { Signal } from "@preact/signals";

/** A picture on its way to a class. */
export interface Pending {
  id: number;
  label: string;
  file: File;
  state: Signal<PendingState>;
}

export type PendingState =
  | { kind: "waiting" }
  | { kind: "sending"; share: Signal<number> }
  | { kind: "refused"; reason: string };

export interface Registered {
  id: string;
  label: string;
  filename: string;
  status: "created" | "duplicate";
}

export interface Answer {
  created: number;
  duplicates: number;
  images: Registered[];
  skipped: { file: string; reason: string }[];
}

/** What is sent at a time; all of one class, in one change. */
export type Send = (
  label: string,
  files: readonly File[],
  onProgress: (share: number) => void,
  signal: AbortSignal,
) => Promise<Answer>;

/** All that was sent from when there was something to send until there was nothing more. */
export interface Run {
  created: number;
  duplicates: number;
  refused: number;
  /** Requests that may have changed something: one that was cut off may have been carried out. */
  requests: number;
  skipped: { file: string; reason: string }[];
  labels: ReadonlySet<string>;
}
