import type { Pending } from "./sending";

const FILES_AT_A_TIME = 12;
/** Of a large drop: the service registers more together faster, and nobody looks at each. */
const FILES_AT_A_TIME_OF_MANY = 32;
const MANY = 100;
const BYTES_AT_A_TIME = 8_000_000;

/** Next pictures of one class. No two have one name, by which the service tells of them.
 *
 * @param alone - Files that are sent by themselves.
 */
export function nextBatch(
  queue: readonly Pending[],
  alone: WeakSet<File>,
): { batch: Pending[]; rest: Pending[] } {
  const most = queue.length > MANY ? FILES_AT_A_TIME_OF_MANY : FILES_AT_A_TIME;
  const batch: Pending[] = [];
  const rest: Pending[] = [];
  const names = new Set<string>();
  let bytes = 0;
  let full = false;
  for (const one of queue) {
    const fits =
      !full &&
      one.label === (batch[0]?.label ?? one.label) &&
      !names.has(one.file.name) &&
      (batch.length === 0 || bytes + one.file.size <= BYTES_AT_A_TIME);
    if (!fits) {
      rest.push(one);
      continue;
    }
    batch.push(one);
    names.add(one.file.name);
    bytes += one.file.size;
    full = batch.length === most || alone.has(one.file);
  }
  return { batch, rest };
}
