import { beforeEach, expect, test, vi } from "vitest";

// The client takes what is global when it is made: this has to be there before.
const requests = vi.hoisted(() => {
  const waiting: { url: string; answer: (status: number, kind?: string) => void }[] = [];
  globalThis.fetch = (input: RequestInfo | URL) =>
    new Promise((resolve) => {
      const url = (input as Request).url;
      const answer = (status: number, kind = "") => {
        const problem = { status, type: `https://handful/${kind}`, title: kind, detail: kind };
        resolve(new Response(JSON.stringify(problem), { status }));
      };
      waiting.push({ url, answer });
    });
  return waiting;
});

const { faults, judge, progress, underWay } = await import("../../src/review/judging");
const settled = () => new Promise((resolve) => setTimeout(resolve, 20));
const idOf = (url: string) => url.slice(url.lastIndexOf("/") + 1);

beforeEach(() => {
  requests.length = 0;
});

test("at most four are on their way, and each that is refused tells why", async () => {
  judge("land", ["a", "b", "c", "d", "e", "f"], { action: "confirm" });
  await settled();
  expect(requests.map((one) => idOf(one.url))).toEqual(["a", "b", "c", "d"]);
  requests[0]?.answer(200);
  requests[1]?.answer(409, "another-recipe");
  requests[2]?.answer(404, "not-in-the-inbox");
  requests[3]?.answer(404, "no-such-classifier");
  await settled();
  expect(requests.length).toBe(6);
  expect([...faults.value.keys()]).toEqual(["b", "d"]);
  expect([...underWay.value]).toEqual(["e", "f"]);
  expect(progress.value).toEqual({ done: 4, of: 6 });
  requests[4]?.answer(200);
  requests[5]?.answer(200);
  await settled();
  expect(underWay.value.size).toBe(0);
});

test("what is on its way is not judged again, and a new try forgets the fault", async () => {
  judge("land", ["b"], { action: "reject" });
  judge("land", ["b"], { action: "confirm" });
  await settled();
  expect(requests.length).toBe(1);
  expect(faults.value.has("b")).toBe(false);
  expect(progress.value).toEqual({ done: 0, of: 1 });
  requests[0]?.answer(200);
  await settled();
  expect(faults.value.has("b")).toBe(false);
});
