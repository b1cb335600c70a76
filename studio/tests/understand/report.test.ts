import { afterEach, beforeEach, expect, test, vi } from "vitest";

// The client takes what is global when it is made: this has to be there before.
const requests = vi.hoisted(() => {
  const waiting: ((images: number) => void)[] = [];
  globalThis.fetch = () =>
    new Promise((resolve) => {
      waiting.push((n_images) => resolve(new Response(JSON.stringify({ n_images }))));
    });
  return waiting;
});

const { version } = await import("../../src/classifier/classifier");
const { followReport, making, report, settle, settled } = await import(
  "../../src/understand/report"
);
const later = (milliseconds: number) => vi.advanceTimersByTimeAsync(milliseconds);

beforeEach(() => {
  requests.length = 0;
  vi.useFakeTimers();
});
afterEach(() => vi.useRealTimers());

test("one report is made at a time, and the old one stays until the new one is there", async () => {
  const close = followReport("a");
  await later(10);
  requests[0]?.(1);
  await later(10);
  expect(report.value?.n_images).toBe(1);
  version.value += 1;
  version.value += 1;
  await later(1000);
  expect(requests.length).toBe(2);
  version.value += 1;
  await later(1000);
  expect(requests.length).toBe(2);
  expect(making.value).toBe(true);
  expect(report.value?.n_images).toBe(1);
  requests[1]?.(2);
  await later(1000);
  expect(report.value?.n_images).toBe(2);
  expect(requests.length).toBe(3);
  close();
  expect(making.value).toBe(false);
});

test("what was moved stays settled until a report that was asked for afterwards", async () => {
  const close = followReport("b");
  await later(10);
  settle(["moved"]);
  settle(["kept"], true);
  version.value += 1;
  requests[0]?.(1);
  await later(10);
  expect([...settled.value.keys()]).toEqual(["moved", "kept"]);
  await later(1000);
  requests[1]?.(1);
  await later(10);
  expect([...settled.value.keys()]).toEqual(["kept"]);
  close();
});
