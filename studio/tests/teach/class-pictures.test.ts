import { beforeEach, expect, test, vi } from "vitest";
import { Problem } from "../../src/api/problem";

/** Ids of a class as the service has them, and how many pages were asked for. */
const service = vi.hoisted(() => ({ ids: [] as string[], pages: 0, gone: false }));

vi.mock("../../src/api/client", () => ({
  body: (answer: { data: unknown }) => answer.data,
  api: {
    GET: async (
      _: string,
      { params }: { params: { query: { limit: number; cursor?: string } } },
    ) => {
      service.pages += 1;
      if (service.gone) throw new Problem(404, "class-not-found", "", "");
      const from = Number(params.query.cursor ?? 0);
      const to = from + params.query.limit;
      const images = service.ids.slice(from, to).map((id) => ({ id, filename: `${id}.jpg` }));
      return { data: { images, next_cursor: to < service.ids.length ? String(to) : null } };
    },
  },
}));

import { ClassPictures } from "../../src/teach/class-pictures";

beforeEach(() => {
  service.ids = Array.from({ length: 2500 }, (_, n) => `${n}`);
  service.pages = 0;
  service.gone = false;
});

const ids = (pictures: ClassPictures) => pictures.all.value.map((one) => one.id);

test("pages are loaded as far as somebody looks, and once", async () => {
  const pictures = new ClassPictures("pets", "cat");
  await Promise.all([pictures.want(10), pictures.want(1200)]);
  expect([ids(pictures).length, service.pages, pictures.complete.value]).toEqual([2000, 2, false]);
  await pictures.want(Number.POSITIVE_INFINITY);
  expect([ids(pictures).length, service.pages, pictures.complete.value]).toEqual([2500, 3, true]);
});

test("new pictures come first, and only once when the list has them, too", async () => {
  service.ids = ["1", "2"];
  const pictures = new ClassPictures("pets", "cat");
  await pictures.want(10);
  pictures.add([{ id: "3", filename: "3.jpg" }]);
  pictures.add([{ id: "4", filename: "4.jpg" }]);
  expect(ids(pictures)).toEqual(["4", "3", "1", "2"]);
  service.ids = ["1", "2", "3", "4"];
  await pictures.refresh();
  expect(ids(pictures)).toEqual(["4", "3", "1", "2"]);
  service.ids = ["1", "2", "4"];
  await pictures.refresh();
  expect(ids(pictures)).toEqual(["4", "1", "2"]);
});

test("pictures leave at once, and those of a class that is gone, too", async () => {
  service.ids = ["1", "2", "3"];
  const pictures = new ClassPictures("pets", "cat");
  await pictures.want(10);
  pictures.remove(new Set(["2"]));
  expect(ids(pictures)).toEqual(["1", "3"]);
  expect([pictures.mayHave("1"), pictures.mayHave("2")]).toEqual([true, false]);
  service.gone = true;
  await pictures.refresh();
  expect(ids(pictures)).toEqual([]);
});
