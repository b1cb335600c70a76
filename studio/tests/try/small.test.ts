import { expect, test } from "vitest";
import { cameraProblem } from "../../src/try/camera-problem";
import { imagesOf } from "../../src/try/images-of";
import { rowsOf } from "../../src/try/live-rows";
import { offered } from "../../src/try/offered";
import { mediaTypeOf } from "../../src/try/predicting";

test("labels that begin with what was typed come first, and negatives never", () => {
  const labels = ["sea lake", "not-these", "lake", "Lakeside", "forest"];
  expect(offered(labels, "lake")).toEqual(["lake", "Lakeside", "sea lake"]);
  expect(offered(labels, "")).toEqual(["sea lake", "lake", "Lakeside", "forest"]);
});

test("few classes keep their rows, of many the most probable are shown", () => {
  const top = [
    { label: "b", probability: 0.9 },
    { label: "a", probability: 0.1 },
  ];
  expect(rowsOf(["a", "b", "c"], top, 3).map((one) => one.probability)).toEqual([0.1, 0.9, 0]);
  expect(rowsOf(["a", "b", "c"], top, 2)).toEqual(top);
});

test("a zip is never sent as one: it would begin a job", () => {
  expect(mediaTypeOf(new Blob([], { type: "application/zip" }))).toBe("application/octet-stream");
  expect(mediaTypeOf(new Blob([], { type: "image/png" }))).toBe("image/png");
});

test("files of no type may be pictures, others of no picture's type are none", () => {
  const files = [
    new File([], "a.heic"),
    new File([], "b.png", { type: "image/png" }),
    new File([], "c.zip", { type: "application/zip" }),
  ];
  const { images, others } = imagesOf(files);
  expect(images.map((one) => one.name)).toEqual(["a.heic", "b.png"]);
  expect(others).toEqual(["c.zip"]);
});

test("each reason why there is no camera has words of its own", () => {
  const names = ["NotSupportedError", "NotAllowedError", "NotFoundError", "NotReadableError"];
  const said = names.map((name) => cameraProblem(new DOMException("", name)));
  expect(new Set(said).size).toBe(names.length);
});
