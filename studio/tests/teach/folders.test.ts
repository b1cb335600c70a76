import { expect, test } from "vitest";
import { sorted } from "../../src/teach/folders";

function labels(...paths: string[]) {
  const dropped = paths.map((path) => ({ path, file: new File([], path.split("/").at(-1) ?? "") }));
  const { labelled, loose, skipped, archives } = sorted(dropped);
  return {
    labelled: Object.fromEntries([...labelled].map(([label, files]) => [label, files.length])),
    loose: loose.map((file) => file.name),
    skipped,
    archives: archives.map((file) => file.name),
  };
}

// Rows of docs/uploads.md: what the service would say of the same folders.
test.each([
  [["cat/1.jpg", "dog/1.jpg"], { cat: 1, dog: 1 }],
  [["data/cat/1.jpg", "data/dog/1.jpg", "data/README.txt"], { cat: 1, dog: 1 }],
  [["photos/cat/1.jpg"], { cat: 1 }],
  [["cat/images/1.jpg", "dog/images/1.jpg"], { cat: 1, dog: 1 }],
  [["train/cat/1.jpg", "train/dog/1.jpg", "val/cat/2.jpg"], { cat: 2, dog: 1 }],
  [["cat/train/1.jpg", "cat/test/2.jpg", "dog/train/3.jpg"], { cat: 2, dog: 1 }],
  [["cat/1.jpg", "cat/old/2.jpg", "dog/1.jpg"], { cat: 2, dog: 1 }],
  [["dog/1.jpg", "dog/@eaDir/1.jpg/SYNOPHOTO_THUMB_M.jpg", "cat/1.jpg"], { dog: 1, cat: 1 }],
  [["cat/1.jpg"], { cat: 1 }],
])("%j", (paths, expected) => {
  expect(labels(...paths).labelled).toEqual(expected);
});

test("what is beside the folders has no class, and droppings are none of it", () => {
  expect(labels("1.jpg", "cat/2.jpg", "cat/.DS_Store", "cat/Thumbs.db", "more.zip")).toEqual({
    labelled: { cat: 1 },
    loose: ["1.jpg"],
    skipped: ["cat/.DS_Store", "cat/Thumbs.db"],
    archives: ["more.zip"],
  });
});

test("names of folders are compared as the service does, composed", () => {
  expect(labels("A\u0308pfel/1.jpg", "\u00c4pfel/2.jpg", "Birnen/1.jpg").labelled).toEqual({
    Äpfel: 2,
    Birnen: 1,
  });
});
