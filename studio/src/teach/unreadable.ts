import { Problem } from "../api/problem";
import { texts } from "../texts/texts";
import type { Pending } from "./sending";

/** Why a request failed. A file that was moved or deleted since it was dropped looks to a browser as
 * if the service could not be reached, and would never go; then the files are at fault. */
export async function withUnreadable(
  problem: Problem,
  batch: readonly Pending[],
): Promise<Problem> {
  if (problem.status !== 0) return problem;
  const readable = await Promise.all(batch.map(({ file }) => isReadable(file)));
  const gone = batch.filter((_, index) => !readable[index]);
  if (gone.length === 0) return problem;
  const reason = texts.teach.uploads.unreadable;
  const faults = gone.map(({ file }) => ({ file: file.name, reason }));
  return new Problem(-1, "unreadable", "", reason, faults);
}

async function isReadable(file: File): Promise<boolean> {
  try {
    await file.slice(0, 1).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}
