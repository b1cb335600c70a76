const SMALL_BYTES = 700_000;
const WIDTH = 200;

let last: Promise<unknown> = Promise.resolve();

/** A small picture of a file, for a tile. Large ones are made one after the other: decoded, a
 * photograph of a phone takes 50 MB, and a drop has many. */
export function previewOf(file: File, signal: AbortSignal): Promise<Blob> {
  if (file.size <= SMALL_BYTES) return Promise.resolve(file);
  const made = last.then(() => (signal.aborted ? file : smaller(file)));
  last = made;
  return made;
}

async function smaller(file: File): Promise<Blob> {
  try {
    const bitmap = await createImageBitmap(file, { resizeWidth: WIDTH, resizeQuality: "medium" });
    const canvas = document.createElement("canvas");
    canvas.width = bitmap.width;
    canvas.height = bitmap.height;
    canvas.getContext("2d")?.drawImage(bitmap, 0, 0);
    bitmap.close();
    return await new Promise((resolve) => canvas.toBlob((blob) => resolve(blob ?? file)));
  } catch {
    // A format that this browser does not know; the service may.
    return file;
  }
}
