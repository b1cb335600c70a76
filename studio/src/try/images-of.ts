/** Files that may be pictures, and the names of those that are surely none.
 *
 * What a browser knows no type of may be a picture all the same: the service looks at the bytes.
 */
export function imagesOf(files: Iterable<File>): {
  images: { file: File; name: string }[];
  others: string[];
} {
  const images = [];
  const others = [];
  for (const file of files) {
    if (file.type === "" || file.type.startsWith("image/")) images.push({ file, name: file.name });
    else others.push(file.name);
  }
  return { images, others };
}
