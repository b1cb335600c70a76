import { beforeEach, expect, test, vi } from "vitest";
import { Problem } from "../../src/api/problem";

interface Query {
  label: string;
  named: string;
  limit: number;
  cursor?: string;
}

/** Ids of a cell as the service has them, and what was asked. */
const service = vi.hoisted(() => ({
  ids: [] as string[],
  asked: [] as Query[],
  problem: null as Problem | null,
  hold: Promise.resolve(),
}));

vi.mock("../../src/api/client", () => ({
  body: (answer: { data: unknown }) => answer.data,
  api: {
    GET: async (_: string, { params }: { params: { query: Query } }) => {
      const { ids, hold, problem } = service;
      const { limit, cursor } = params.query;
      service.asked.push(params.query);
      await hold;
      if (problem !== null) throw problem;
      const from = Number(cursor ?? 0);
      const images = ids.slice(from, from + limit).map((image_id) => ({ image_id }));
      const to = from + images.length;
      return { data: { of: ids.length, images, next_cursor: to < ids.length ? `${to}` : null } };
    },
  },
}));

import { A_PAGE, CellPictures } from "../../src/understand/cell";

beforeEach(() => {
  service.ids = Array.from({ length: 2500 }, (_, n) => `${n}`);
  service.asked = [];
  service.problem = null;
  service.hold = Promise.resolve();
});

const ids = (cell: CellPictures) => cell.shown.value.map((one) => one.image_id);
const made = () => new CellPictures("pets", { label: "cat", named: "dog" });

test("a page at a time is shown, and how many are left", async () => {
  const cell = made();
  expect(cell.of.value).toBeNull();
  await cell.load();
  expect(service.asked[0]).toEqual({ label: "cat", named: "dog", limit: A_PAGE });
  expect([ids(cell).length, cell.of.value, cell.left.value]).toEqual([A_PAGE, 2500, 2500 - A_PAGE]);
  await cell.more();
  expect([ids(cell).length, cell.left.value]).toEqual([2 * A_PAGE, 2500 - 2 * A_PAGE]);
});

test("the last one can be reached, in answers as large as the service gives", async () => {
  const cell = made();
  for (let n = A_PAGE; n < 2500; n += A_PAGE) await cell.more();
  expect(ids(cell)).toEqual(service.ids);
  expect(cell.left.value).toBe(0);
  expect(Math.max(...service.asked.map((one) => one.limit))).toBe(1000);
});

test("what was dealt with is gone at once, and stays so where the service has it no more", async () => {
  service.ids = ["a", "b", "c"];
  const cell = made();
  await cell.load();
  cell.drop(new Set(["b"]));
  expect(ids(cell)).toEqual(["a", "c"]);
  service.ids = ["a", "c"];
  await cell.load();
  expect([ids(cell), cell.of.value]).toEqual([["a", "c"], 2]);
});

test("an answer that came too late changes nothing", async () => {
  let release: () => void = () => {};
  service.hold = new Promise((resolve) => {
    release = resolve;
  });
  const cell = made();
  const slow = cell.load();
  service.hold = Promise.resolve();
  service.ids = ["new"];
  await cell.load();
  release();
  await slow;
  expect(ids(cell)).toEqual(["new"]);
});

test("a class that is gone has no pictures; other failures are told", async () => {
  service.ids = ["a"];
  const cell = made();
  await cell.load();
  service.problem = new Problem(503, "not-ready", "", "");
  await expect(cell.load()).rejects.toBe(service.problem);
  expect(ids(cell)).toEqual(["a"]);
  service.problem = new Problem(404, "class-not-found", "", "");
  await cell.load();
  expect([ids(cell), cell.of.value]).toEqual([[], 0]);
});
