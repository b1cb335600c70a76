import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Recording } from "../../src/teach/recording";

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

function recorded(take: () => Promise<Blob>) {
  const taken: number[] = [];
  const recording = new Recording(
    take,
    (files) => taken.push(files.length),
    () => {},
  );
  return { recording, taken };
}

const picture = async () => new Blob(["x"], { type: "image/jpeg" });

test("a short press is one picture, a long one some a second, handed on together", async () => {
  const { recording, taken } = recorded(picture);
  recording.begin();
  await recording.end();
  expect(taken).toEqual([1]);
  recording.begin();
  await vi.advanceTimersByTimeAsync(1250);
  expect(taken).toEqual([1, 5]);
  await recording.end();
  expect(taken).toEqual([1, 5, 2]);
  await vi.advanceTimersByTimeAsync(2000);
  expect(taken).toEqual([1, 5, 2]);
});

test("a slow machine takes fewer, none on top of another", async () => {
  let atOnce = 0;
  let most = 0;
  const { recording, taken } = recorded(async () => {
    most = Math.max(most, ++atOnce);
    await new Promise((resolve) => setTimeout(resolve, 500));
    atOnce -= 1;
    return picture();
  });
  recording.begin();
  await vi.advanceTimersByTimeAsync(1900);
  const ended = recording.end();
  await vi.advanceTimersByTimeAsync(500);
  await ended;
  expect(most).toBe(1);
  expect(taken).toEqual([4]);
});
