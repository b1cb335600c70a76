import { expect, test } from "vitest";
import { unzipped } from "../../src/teach/unzip";

// Made by Python's zipfile: cat/a.txt ("hello hello hello", deflated), Äpfel.txt ("x", stored).
const ZIP =
  "UEsDBBQAAAAIAAAAIQCAiPnlCgAAABEAAAAJAAAAY2F0L2EudHh0y0jNyclXyECQAFBLAwQUAAAIAAAAACEAgxbcjAEAAAABAAAACgAAAMOEcGZlbC50eHR4UEsDBBQAAAAAAAAAIQAAAAAAAAAAAAAAAAAGAAAAZW1wdHkvUEsBAhQDFAAAAAgAAAAhAICI+eUKAAAAEQAAAAkAAAAAAAAAAAAAAIABAAAAAGNhdC9hLnR4dFBLAQIUAxQAAAgAAAAAIQCDFtyMAQAAAAEAAAAKAAAAAAAAAAAAAACAATEAAADDhHBmZWwudHh0UEsBAhQDFAAAAAAAAAAhAAAAAAAAAAAAAAAAAAYAAAAAAAAAAAAAAIABWgAAAGVtcHR5L1BLBQYAAAAAAwADAKMAAAB+AAAAAAA=";

function bytes(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

test("files come out as they went in, with the names of their folders", async () => {
  const files = await unzipped(new Blob([bytes(ZIP)]));
  const seen = await Promise.all(files.map(async (one) => [one.path, await one.file.text()]));
  expect(seen).toEqual([
    ["cat/a.txt", "hello hello hello"],
    ["Äpfel.txt", "x"],
  ]);
});

test("what is no zip is told", async () => {
  await expect(unzipped(new Blob(["no zip"]))).rejects.toThrow(RangeError);
  await expect(unzipped(new Blob([bytes(ZIP).slice(0, -30)]))).rejects.toThrow(RangeError);
});
