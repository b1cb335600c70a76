import { type DroppedFile, isArchive } from "../components/dropped-files";

/** Names of folders that say nothing of a class, as the service has them (docs/uploads.md). */
const GENERAL = new Set(
  (
    "train training trainset train_set trainval val valid validation valset val_set test testing" +
    " testset test_set dev eval evaluation holdout image images img imgs photo photos picture" +
    " pictures pic pics jpg jpgs jpeg jpegs png pngs files data dataset originals"
  ).split(" "),
);
const DROPPINGS =
  /^(\.|~\$|thumbs\.db$|ehthumbs|desktop\.ini$|icon\r$|picasa\.ini$)|\.(txt|md|csv|tsv|json|xml|ya?ml|pdf|docx?|xlsx?|html?|py|ipynb|npy|npz|pkl|db|mp[34]|mov|avi|mkv|webm|wav|aae|ini|log)$/i;
const TOOL_FOLDERS =
  /(^|\/)(__macosx|@eadir|\$recycle\.bin|#recycle|@recycle|lost\+found|\.[^/]+)\//i;

/** What was dropped, by what is to be done with it. */
export interface Sorted {
  archives: File[];
  /** Pictures in folders, by the label that their folders say. */
  labelled: Map<string, File[]>;
  /** Pictures that no folder names. */
  loose: File[];
  /** Paths of files that are no pictures. */
  skipped: string[];
}

/** Sorts what was dropped beside the classes: folders are classes. */
export function sorted(dropped: readonly DroppedFile[]): Sorted {
  const result: Sorted = { archives: [], labelled: new Map(), loose: [], skipped: [] };
  const pictures: { file: File; folders: string[] }[] = [];
  for (const { file, path } of dropped) {
    if (isDropping(path)) result.skipped.push(path);
    else if (isArchive(file)) result.archives.push(file);
    else pictures.push({ file, folders: path.normalize("NFC").split("/").slice(0, -1) });
  }
  const level = classLevel(pictures.map((one) => one.folders));
  for (const { file, folders } of pictures) {
    const label = folders[level];
    const named = label === undefined ? result.loose : result.labelled.get(label);
    if (named) named.push(file);
    else result.labelled.set(label as string, [file]);
  }
  return result;
}

/** Whether a file is none of a class: left by a system or a tool, or no picture by its name. */
export function isDropping(path: string): boolean {
  return TOOL_FOLDERS.test(path) || DROPPINGS.test(path.slice(path.lastIndexOf("/") + 1));
}

/** Level of folders that is the one of the classes: the outermost whose names vary and mean
 * something; where none does, the innermost with a name of its own. */
function classLevel(all: readonly string[][]): number {
  const depth = all.reduce((most, folders) => Math.max(most, folders.length), 0);
  let own = 0;
  for (let level = 0; level < depth; level += 1) {
    const names = new Set(all.filter((one) => one.length > level).map((one) => one[level] ?? ""));
    if ([...names].every((name) => GENERAL.has(name.toLowerCase()))) continue;
    if (names.size > 1) return level;
    own = level;
  }
  return own;
}
