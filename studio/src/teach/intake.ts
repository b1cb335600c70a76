import { signal } from "@preact/signals";
import type { DroppedFile } from "../components/dropped-files";
import { isArchive } from "../components/dropped-files";
import { tell, tellFailure } from "../components/toasts";
import { texts } from "../texts/texts";
import { isDropping, sorted } from "./folders";
import type { Teaching } from "./teaching";
import { unzipped } from "./unzip";

/** Pictures that wait for the user to say which class they are of. */
export const homeless = signal<readonly File[]>([]);
/** Archives on their way. */
export const archives = signal<readonly Archive[]>([]);

export interface Archive {
  name: string;
  share: number;
  cancel: () => void;
}

/** Takes what was dropped on a class: all pictures are of it, whatever folders they lie in. */
export function takeForClass(teaching: Teaching, label: string, files: DroppedFile[]): void {
  const skipped = files.filter((one) => isDropping(one.path)).map((one) => one.path);
  const wanted = files.filter((one) => !isDropping(one.path)).map((one) => one.file);
  noteSkipped(teaching, skipped);
  teaching.uploads.add(
    label,
    wanted.filter((file) => !isArchive(file)),
  );
  for (const file of wanted.filter(isArchive)) void unpackForClass(teaching, label, file);
}

/** A zip on a class: its pictures are of the class, so it is unpacked here, where that is known. */
async function unpackForClass(teaching: Teaching, label: string, file: File): Promise<void> {
  try {
    const inside = (await unzipped(file)).filter((one) => !isArchive(one.file));
    if (inside.length > 0) takeForClass(teaching, label, inside);
    else tell(texts.teach.uploads.emptyZip(file.name));
  } catch {
    tell(texts.teach.uploads.notZip(file.name));
  }
}

/** Takes what was dropped beside the classes: folders are classes, and of the rest it is asked. */
export function takeForAll(teaching: Teaching, files: DroppedFile[]): void {
  const { archives: zips, labelled, loose, skipped } = sorted(files);
  noteSkipped(teaching, skipped);
  for (const [label, pictures] of labelled) teaching.uploads.add(label, pictures);
  for (const zip of zips) void takeArchive(teaching, zip);
  if (loose.length > 0) homeless.value = [...homeless.value, ...loose];
}

async function takeArchive(teaching: Teaching, file: File): Promise<void> {
  const abort = new AbortController();
  let shown: Archive = { name: file.name, share: 0, cancel: () => abort.abort() };
  archives.value = [...archives.value, shown];
  const replace = (by: Archive[]) => {
    archives.value = archives.value.flatMap((one) => (one === shown ? by : [one]));
  };
  try {
    const onProgress = (share: number) => {
      const next = { ...shown, share };
      replace([next]);
      shown = next;
    };
    await teaching.sendArchive(file, onProgress, abort.signal);
  } catch (error) {
    tellFailure(error);
  } finally {
    replace([]);
  }
}

function noteSkipped(teaching: Teaching, paths: readonly string[]): void {
  teaching.note(paths.map((file) => ({ file, reason: texts.teach.uploads.noPicture })));
}
