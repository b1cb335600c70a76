/** A file that was dropped, pasted or chosen, with the folders that it lay in. */
export interface DroppedFile {
  file: File;
  /** Folders and name, by "/"; the name alone for a loose file. */
  path: string;
}

/** Files of a drop, those in folders and their folders, too.
 *
 * What is dropped can be asked for only while the event is handled: call this in it, not later.
 */
export async function readDrop(transfer: DataTransfer): Promise<DroppedFile[]> {
  const entries: FileSystemEntry[] = [];
  const files: DroppedFile[] = [];
  for (const item of transfer.items) {
    if (item.kind !== "file") continue;
    const entry = item.webkitGetAsEntry?.();
    if (entry) entries.push(entry);
    else {
      const file = item.getAsFile();
      if (file) files.push(loose(file));
    }
  }
  for (const entry of entries) await walk(entry, files);
  return files;
}

/** Files that were chosen in a dialog of the browser, of a folder or not. */
export function readChosen(chosen: FileList): DroppedFile[] {
  return [...chosen].map((file) => ({ file, path: file.webkitRelativePath || file.name }));
}

/** Pictures of the clipboard. Browsers call each of them image.png. */
export function readPasted(transfer: DataTransfer): DroppedFile[] {
  return [...transfer.files].filter((file) => file.type.startsWith("image/")).map(loose);
}

/** Whether something that is dragged holds files of the machine. */
export function holdsFiles(transfer: DataTransfer | null): boolean {
  return transfer?.types.includes("Files") ?? false;
}

export function isArchive(file: File): boolean {
  return /\.zip$/i.test(file.name) || /^application\/(x-)?zip/.test(file.type);
}

function loose(file: File): DroppedFile {
  return { file, path: file.name };
}

async function walk(entry: FileSystemEntry, into: DroppedFile[]): Promise<void> {
  if (entry.isFile) {
    const file = await fileOf(entry as FileSystemFileEntry);
    if (file) into.push({ file, path: entry.fullPath.replace(/^\//, "") });
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  // A reader gives some hundred entries a time, and none at the end.
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve) =>
      reader.readEntries(resolve, () => resolve([])),
    );
    if (some.length === 0) return;
    for (const one of some) await walk(one, into);
  }
}

function fileOf(entry: FileSystemFileEntry): Promise<File | null> {
  return new Promise((resolve) => entry.file(resolve, () => resolve(null)));
}
