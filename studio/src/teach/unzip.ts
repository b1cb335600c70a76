import type { DroppedFile } from "../components/dropped-files";

const END = 0x06054b50;
const ENTRY = 0x02014b50;
const END_BYTES = 22;
const ENTRY_BYTES = 46;
const LOCAL_BYTES = 30;
const LONGEST_COMMENT = 0xffff;
const IN_UTF8 = 0x0800;
const ENCRYPTED = 0x0001;
const IN_ZIP64 = 0xffffffff;
const STORED = 0;
const DEFLATED = 8;
/** Of one file as it comes out; a small archive may hold a huge one. */
const MOST_BYTES = 200_000_000;

/** Files of a zip, read where the browser has it. The service reads archives better, by names in
 * any encoding, and is asked wherever names matter.
 *
 * @throws RangeError - It is none, or one of a kind that this does not read.
 */
export async function unzipped(archive: Blob): Promise<DroppedFile[]> {
  const from = Math.max(0, archive.size - END_BYTES - LONGEST_COMMENT);
  const tail = new DataView(await archive.slice(from).arrayBuffer());
  let end = tail.byteLength - END_BYTES;
  while (end >= 0 && tail.getUint32(end, true) !== END) end -= 1;
  if (end < 0) throw new RangeError("no zip");
  const count = tail.getUint16(end + 10, true);
  const size = tail.getUint32(end + 12, true);
  const start = tail.getUint32(end + 16, true);
  const directory = new DataView(await archive.slice(start, start + size).arrayBuffer());
  const files: DroppedFile[] = [];
  let at = 0;
  for (let n = 0; n < count; n += 1) {
    if (directory.getUint32(at, true) !== ENTRY) throw new RangeError("no entry");
    const flags = directory.getUint16(at + 8, true);
    const packed = directory.getUint32(at + 20, true);
    const bytes = directory.getUint32(at + 24, true);
    const nameBytes = directory.getUint16(at + 28, true);
    const skip = directory.getUint16(at + 30, true) + directory.getUint16(at + 32, true);
    const local = directory.getUint32(at + 42, true);
    const name = new Uint8Array(directory.buffer, at + ENTRY_BYTES, nameBytes);
    const path = new TextDecoder(flags & IN_UTF8 ? "utf-8" : "latin1").decode(name);
    const method = directory.getUint16(at + 10, true);
    at += ENTRY_BYTES + nameBytes + skip;
    if (path.endsWith("/")) continue;
    if (flags & ENCRYPTED || [packed, local].includes(IN_ZIP64) || bytes > MOST_BYTES) {
      throw new RangeError("cannot be read");
    }
    const head = new DataView(await archive.slice(local, local + LOCAL_BYTES).arrayBuffer());
    const begin = local + LOCAL_BYTES + head.getUint16(26, true) + head.getUint16(28, true);
    const content = await unpacked(archive.slice(begin, begin + packed), method);
    files.push({ file: new File([content], path.slice(path.lastIndexOf("/") + 1)), path });
  }
  return files;
}

async function unpacked(content: Blob, method: number): Promise<Blob> {
  if (method === STORED) return content;
  if (method !== DEFLATED) throw new RangeError("unknown method");
  const parts: BlobPart[] = [];
  let bytes = 0;
  const reader = content.stream().pipeThrough(new DecompressionStream("deflate-raw")).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return new Blob(parts);
    bytes += value.byteLength;
    if (bytes > MOST_BYTES) throw new RangeError("too large");
    parts.push(value);
  }
}
