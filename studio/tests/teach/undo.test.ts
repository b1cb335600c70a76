import { beforeEach, expect, test, vi } from "vitest";

/** A classifier of which only the number of its revision is known, as the service counts it. */
const service = vi.hoisted(() => ({ revision: 0, reverts: [] as number[] }));
const told = vi.hoisted(() => [] as string[]);

vi.mock("../../src/api/client", () => ({
  body: (answer: { data: unknown }) => answer.data,
  api: {
    GET: async (path: string) => ({
      data: path.endsWith("/history") ? { revision: service.revision } : {},
      response: new Response(null, { headers: { etag: `"${service.revision}"` } }),
    }),
    POST: async (_: string, { params }: { params: { query: { to: number }; header: object } }) => {
      expect(params.header).toEqual({ "if-match": `"${service.revision}"` });
      service.reverts.push(params.query.to);
      service.revision += 1;
    },
  },
}));
vi.mock("../../src/classifier/classifier", () => ({ look: async () => {} }));
vi.mock("../../src/components/toasts", () => ({
  tell: (text: string) => told.push(text),
  tellFailure: (error: unknown) => {
    throw error;
  },
}));

import { change, pastOf, record, redo, undo } from "../../src/classifier/undo";
import { texts } from "../../src/texts/texts";

const said = texts.teach.undo;
let nth = 0;
let name = "";

beforeEach(() => {
  nth += 1;
  name = `pets ${nth}`;
  service.revision = 10;
  service.reverts = [];
  told.length = 0;
});

const make = (text: string) =>
  change(name, text, async () => {
    service.revision += 1;
  });

test("changes are undone one after the other, and made again", async () => {
  await make("first");
  await make("second");
  await undo(name);
  await undo(name);
  expect(service.reverts).toEqual([11, 10]);
  await redo(name);
  expect(service.reverts).toEqual([11, 10, 11]);
  expect(pastOf(name).done.value.map((one) => one.text)).toEqual(["first"]);
  await make("third");
  expect(pastOf(name).undone.value).toEqual([]);
});

test("what others did is not undone", async () => {
  await make("mine");
  service.revision += 1;
  await undo(name);
  expect(service.reverts).toEqual([]);
  expect(told.at(-1)).toBe(said.others);
  expect(pastOf(name).done.value).toEqual([]);
});

test("a change amid which others changed something has no way back", async () => {
  await change(name, "mine", async () => {
    service.revision += 2;
  });
  await undo(name);
  expect(told).toEqual(["mine", said.nothing]);
});

test("a change on top of one that others made is the only one that can be undone", async () => {
  await make("mine");
  service.revision += 1;
  await make("mine again");
  await undo(name);
  await undo(name);
  expect(service.reverts).toEqual([12]);
  expect(told.at(-1)).toBe(said.nothing);
});

test("many requests are one change", async () => {
  service.revision = 15;
  await record(name, "5 pictures added.", 10, 5);
  await undo(name);
  expect(service.reverts).toEqual([10]);
});

test("changes asked for at once are made one after the other, each with its way back", async () => {
  await Promise.all([make("first"), make("second")]);
  expect(pastOf(name).done.value.map(({ from, to }) => [from, to])).toEqual([
    [10, 11],
    [11, 12],
  ]);
});

test("nothing is undone while something is being changed", async () => {
  await make("first");
  await change(name, "second", async () => {
    await undo(name);
    service.revision += 1;
  });
  expect(service.reverts).toEqual([]);
  expect(told).toContain(said.busy);
  await undo(name);
  expect(service.reverts).toEqual([11]);
});

test("what changed nothing is not to be undone", async () => {
  await change(name, "nothing", async () => {});
  expect(pastOf(name).done.value).toEqual([]);
});
