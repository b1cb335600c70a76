import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Problem, unreachable } from "../../src/api/problem";
import type { Answer, Run, Send } from "../../src/teach/sending";
import { Uploads } from "../../src/teach/uploads";

const runs: Run[] = [];
let asked: { label: string; names: string[] }[] = [];

beforeEach(() => {
  vi.useFakeTimers();
  runs.length = 0;
  asked = [];
});
afterEach(() => vi.useRealTimers());

function picture(name: string, bytes = 10): File {
  return new File([new Uint8Array(bytes)], name);
}

function registered(label: string, files: readonly File[]): Answer {
  const images = files.map((file) => ({
    id: `id of ${file.name}`,
    label,
    filename: file.name,
    status: "created" as const,
  }));
  return { created: files.length, duplicates: 0, images, skipped: [] };
}

/** Uploads whose requests are answered by a function, at once. */
function uploadsBy(
  answer: (names: string[], nth: number) => Answer | Problem | null,
  onBegin = async () => {},
): Uploads {
  const send: Send = async (label, files) => {
    const names = files.map((file) => file.name);
    asked.push({ label, names });
    const said = answer(names, asked.length);
    if (said instanceof Problem) throw said;
    return said ?? registered(label, files);
  };
  return new Uploads(send, {
    onBegin,
    onRegistered: () => {},
    onEnd: async (run) => void runs.push(run),
  });
}

const settled = () => vi.advanceTimersByTimeAsync(0);

test("pictures go by class, some at a time, none of one name together", async () => {
  const uploads = uploadsBy(() => null);
  uploads.add(
    "cat",
    Array.from({ length: 14 }, (_, n) => picture(`${n}.jpg`)),
  );
  uploads.add("dog", [picture("a.jpg"), picture("a.jpg")]);
  await settled();
  expect(asked.map((one) => [one.label, one.names.length])).toEqual([
    ["cat", 12],
    ["cat", 2],
    ["dog", 1],
    ["dog", 1],
  ]);
  expect(uploads.pending.value.size).toBe(0);
  expect(runs).toHaveLength(1);
  expect(runs[0]).toMatchObject({ created: 16, refused: 0, requests: 4 });
});

test("large pictures go by their bytes, one at least", async () => {
  const uploads = uploadsBy(() => null);
  uploads.add("cat", [picture("1", 9_000_000), picture("2", 5_000_000), picture("3", 2_000_000)]);
  await settled();
  expect(asked.map((one) => one.names)).toEqual([["1"], ["2", "3"]]);
});

test("those at fault are refused with their reason, the others are sent again", async () => {
  const fault = { file: "bad.jpg", reason: "is no image" };
  const uploads = uploadsBy((names) =>
    names.includes("bad.jpg") ? new Problem(422, "not-an-image", "", "", [fault]) : null,
  );
  uploads.add("cat", [picture("1.jpg"), picture("bad.jpg"), picture("2.jpg")]);
  await settled();
  expect(asked.map((one) => one.names)).toEqual([
    ["1.jpg", "bad.jpg", "2.jpg"],
    ["1.jpg", "2.jpg"],
  ]);
  const left = uploads.pending.value.get("cat") ?? [];
  expect(left.map((one) => one.state.value)).toEqual([{ kind: "refused", reason: "is no image" }]);
  expect(runs[0]).toMatchObject({ created: 2, refused: 1 });
  uploads.dismiss(left);
  expect(uploads.pending.value.size).toBe(0);
});

test("a refusal that names no file is that of all of them, and not asked again", async () => {
  const uploads = uploadsBy(() => new Problem(409, "quota", "", "That is too many pictures."));
  uploads.add("cat", [picture("1.jpg"), picture("2.jpg")]);
  await settled();
  expect(asked).toHaveLength(1);
  const reasons = uploads.pending.value.get("cat")?.map((one) => one.state.value);
  expect(reasons).toEqual([
    { kind: "refused", reason: "That is too many pictures." },
    { kind: "refused", reason: "That is too many pictures." },
  ]);
});

test("a request that is too large goes picture by picture", async () => {
  const uploads = uploadsBy((names) =>
    names.length > 1 ? new Problem(413, "too-large", "", "") : null,
  );
  uploads.add("cat", [picture("1"), picture("2"), picture("3")]);
  await settled();
  expect(asked.map((one) => one.names)).toEqual([["1", "2", "3"], ["1"], ["2"], ["3"]]);
});

test("a busy service is asked again when it wants to be", async () => {
  const busy = new Problem(503, "busy", "", "", [], 7);
  const uploads = uploadsBy((_, nth) => (nth === 1 ? busy : null));
  uploads.add("cat", [picture("1")]);
  await settled();
  expect(uploads.status.value).toBe("waiting");
  await vi.advanceTimersByTimeAsync(6900);
  expect(asked).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(200);
  expect(asked).toHaveLength(2);
  expect(runs[0]).toMatchObject({ created: 1 });
});

test("without the service it halts, and goes on when the user says so", async () => {
  const uploads = uploadsBy((_, nth) => (nth === 1 ? unreachable() : null));
  uploads.add("cat", [picture("1")]);
  await vi.advanceTimersByTimeAsync(60_000);
  expect([uploads.status.value, asked.length]).toEqual(["halted", 1]);
  uploads.goOn();
  await settled();
  expect(uploads.status.value).toBe("idle");
  // One that was cut off may have been carried out: it counts.
  expect(runs[0]).toMatchObject({ created: 1, requests: 2 });
});

test("what is cancelled is neither sent nor shown", async () => {
  const uploads = uploadsBy(() => unreachable());
  uploads.add("cat", [picture("1"), picture("2")]);
  await settled();
  uploads.cancel();
  await settled();
  expect([uploads.status.value, uploads.pending.value.size]).toEqual(["idle", 0]);
});

test("what comes right after all was cancelled is sent, though the service had not answered yet", async () => {
  let answered = () => {};
  const uploads = uploadsBy(
    () => null,
    () =>
      new Promise((resolve) => {
        answered = resolve;
      }),
  );
  uploads.add("cat", [picture("1")]);
  uploads.cancel();
  uploads.add("dog", [picture("2")]);
  expect(asked).toEqual([]);
  answered();
  await settled();
  answered();
  await settled();
  expect(asked).toEqual([{ label: "dog", names: ["2"] }]);
  expect([uploads.status.value, uploads.pending.value.size]).toEqual(["idle", 0]);
});

test("what could not begin begins anew", async () => {
  let begun = 0;
  const uploads = uploadsBy(
    () => null,
    async () => {
      begun += 1;
      if (begun === 1) throw unreachable();
    },
  );
  uploads.add("cat", [picture("1")]);
  await settled();
  expect([uploads.status.value, asked.length]).toEqual(["halted", 0]);
  uploads.goOn();
  await settled();
  expect([begun, asked.length, uploads.status.value]).toEqual([2, 1, "idle"]);
});

test("where the classifier is gone all are refused", async () => {
  const uploads = uploadsBy(
    () => null,
    async () => {
      throw new Problem(404, "no-such-classifier", "", "There is none.");
    },
  );
  uploads.add("cat", [picture("1"), picture("2")]);
  await settled();
  expect([uploads.status.value, asked.length]).toEqual(["idle", 0]);
  expect(uploads.refused.value.map((one) => one.state.value)).toEqual([
    { kind: "refused", reason: "There is none." },
    { kind: "refused", reason: "There is none." },
  ]);
});

test("a file that is gone is refused, and the others go on", async () => {
  const gone = picture("gone.jpg");
  gone.slice = () => {
    throw new DOMException("", "NotReadableError");
  };
  const uploads = uploadsBy((names) => (names.includes("gone.jpg") ? unreachable() : null));
  uploads.add("cat", [picture("1.jpg"), gone]);
  await settled();
  expect(uploads.status.value).toBe("idle");
  expect(runs[0]).toMatchObject({ created: 1, refused: 1 });
});

test("pauses of what is held are of one run", async () => {
  const uploads = uploadsBy(() => null);
  const release = uploads.hold();
  uploads.add("cat", [picture("1")]);
  await settled();
  uploads.add("cat", [picture("2")]);
  await settled();
  expect(runs).toHaveLength(0);
  release();
  await settled();
  expect(runs.map((run) => run.created)).toEqual([2]);
});
