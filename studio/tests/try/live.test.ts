import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Problem } from "../../src/api/problem";
import { follow, rateOf } from "../../src/try/live";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const after = (milliseconds: number) =>
  new Promise<void>((resolve) => setTimeout(resolve, milliseconds));

test("frames are taken once the last one is answered, so nothing piles up", async () => {
  let taken = 0;
  let answered = 0;
  let open = 0;
  const end = follow({
    take: async () => {
      taken += 1;
      open += 1;
      expect(open).toBe(1);
    },
    ask: () => after(700),
    onAnswer: () => {
      answered += 1;
      open -= 1;
    },
    onProblem: () => expect.unreachable(),
  });
  await vi.advanceTimersByTimeAsync(7050);
  end();
  expect(answered).toBe(10);
  expect(taken).toBe(11);
  await vi.advanceTimersByTimeAsync(5000);
  expect(answered).toBe(10);
});

test("a fast service is asked ten times a second", async () => {
  let answered = 0;
  const end = follow({
    take: async () => {},
    ask: () => after(5),
    onAnswer: () => {
      answered += 1;
    },
    onProblem: () => expect.unreachable(),
  });
  await vi.advanceTimersByTimeAsync(2000);
  end();
  expect(answered).toBeGreaterThanOrEqual(19);
  expect(answered).toBeLessThanOrEqual(21);
});

test("what may pass is waited for, and anything else ends it", async () => {
  const refusals = [new Problem(429, "", "", ""), new Problem(404, "", "", "")];
  const told: [number, boolean][] = [];
  let asked = 0;
  follow({
    take: async () => {},
    ask: async () => {
      asked += 1;
      throw refusals[asked - 1] ?? new Error("asked after the end");
    },
    onAnswer: () => expect.unreachable(),
    onProblem: (problem, goesOn) => told.push([problem.status, goesOn]),
  });
  await vi.advanceTimersByTimeAsync(5000);
  expect(told).toEqual([
    [429, true],
    [404, false],
  ]);
  expect(asked).toBe(2);
});

test("the rate is that of the last two seconds", () => {
  expect(rateOf([], 1000)).toBe(0);
  expect(rateOf([0, 5000, 5100, 5200], 5200)).toBeCloseTo(10);
});
