import { expect, test } from "vitest";
import { type Remembered, withFirstPage, withNextPage } from "../../src/review/merge";

const item = (id: number) =>
  ({ id: `${id}`, asked_at: `2026-01-01T12:00:${String(id).padStart(2, "0")}Z` }) as Remembered;
const items = (...ids: number[]) => ids.map(item);
const ids = (listed: { items: Remembered[] }) => listed.items.map((one) => Number(one.id));
const none: ReadonlySet<string> = new Set();

test("new ones come to the top, and the pages that were loaded stay", () => {
  const have = { items: items(5, 4, 3, 2), cursor: "below 2" };
  const merged = withFirstPage(have, { items: items(6, 5, 4), cursor: "below 4" }, none);
  expect(ids(merged)).toEqual([6, 5, 4, 3, 2]);
  expect(merged.cursor).toBe("below 2");
});

test("what somebody else judged goes", () => {
  const have = { items: items(5, 4, 3, 2), cursor: "below 2" };
  expect(ids(withFirstPage(have, { items: items(5, 3), cursor: "below 3" }, none))).toEqual([
    5, 3, 2,
  ]);
  expect(ids(withFirstPage(have, { items: items(3), cursor: null }, none))).toEqual([3]);
});

test("what was judged here does not come back with an older answer", () => {
  const have = { items: items(4, 3), cursor: null };
  const gone = new Set(["5"]);
  expect(ids(withFirstPage(have, { items: items(5, 4, 3), cursor: null }, gone))).toEqual([4, 3]);
  expect(ids(withNextPage(have, { items: items(5, 2), cursor: null }, gone))).toEqual([4, 3, 2]);
});

test("with a gap that is not known the list begins anew", () => {
  const have = { items: items(3, 2), cursor: "below 2" };
  const merged = withFirstPage(have, { items: items(9, 8), cursor: "below 8" }, none);
  expect(ids(merged)).toEqual([9, 8]);
  expect(merged.cursor).toBe("below 8");
});

test("an inbox that was emptied here goes on with what is left of it", () => {
  const have = { items: [], cursor: "below 7" };
  const merged = withFirstPage(have, { items: items(6, 5), cursor: "below 5" }, none);
  expect(ids(merged)).toEqual([6, 5]);
  expect(merged.cursor).toBe("below 5");
});
