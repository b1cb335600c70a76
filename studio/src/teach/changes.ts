import { batch } from "@preact/signals";
import { api } from "../api/client";
import { shownLabel } from "../classifier/labels";
import { texts } from "../texts/texts";
import type { Picture } from "./class-pictures";
import type { Teaching } from "./teaching";

const MOST_AT_A_TIME = 10_000;

export async function newClass(teaching: Teaching, label: string): Promise<void> {
  await teaching.change([], texts.teach.changes.classMade(label), () =>
    api.PUT("/v1/classifiers/{name}/classes/{label}", {
      params: { path: { name: teaching.name, label } },
    }),
  );
}

export async function renameClass(teaching: Teaching, label: string, to: string): Promise<void> {
  await teaching.change([label, to], texts.teach.changes.renamed(label, to), () =>
    api.POST("/v1/classifiers/{name}/classes/{label}/rename", {
      params: { path: { name: teaching.name, label } },
      body: { to },
    }),
  );
}

export async function deleteClass(teaching: Teaching, label: string): Promise<void> {
  await teaching.change([label], texts.teach.changes.classDeleted(label), () =>
    api.DELETE("/v1/classifiers/{name}/classes/{label}", {
      params: { path: { name: teaching.name, label } },
    }),
  );
}

export async function mergeClass(teaching: Teaching, label: string, into: string): Promise<void> {
  await teaching.change([label, into], texts.teach.changes.merged(label, into), () =>
    api.POST("/v1/classifiers/{name}/classes/{label}/merge", {
      params: { path: { name: teaching.name, label: into } },
      body: { from: [label] },
    }),
  );
}

/** Moves pictures, of any classes, to one; what is shown follows at once. */
export async function move(
  teaching: Teaching,
  images: ReadonlyMap<string, string>,
  to: string,
): Promise<void> {
  const leaving = new Map([...images].filter(([, label]) => label !== to));
  if (leaving.size === 0) return;
  const ids = new Set(leaving.keys());
  const labels = [...new Set([...leaving.values(), to])];
  const moved: Picture[] = [];
  batch(() => {
    for (const label of new Set(leaving.values())) {
      const from = teaching.pictures(label);
      moved.push(...from.all.value.filter((one) => ids.has(one.id)));
      from.remove(ids);
    }
    teaching.pictures(to).add(moved);
    teaching.selection.clear();
  });
  const parts = inParts([...ids]);
  const act = async () => {
    for (const images of parts) {
      const params = { path: { name: teaching.name } };
      await api.POST("/v1/classifiers/{name}/images/move", { params, body: { images, to } });
    }
  };
  const text = texts.teach.changes.moved(ids.size, shownLabel(to));
  await teaching.change(labels, text, act, parts.length);
}

export async function remove(
  teaching: Teaching,
  images: ReadonlyMap<string, string>,
): Promise<void> {
  if (images.size === 0) return;
  const ids = new Set(images.keys());
  const labels = [...new Set(images.values())];
  batch(() => {
    for (const label of labels) teaching.pictures(label).remove(ids);
    teaching.selection.clear();
  });
  const parts = inParts([...ids]);
  const act = async () => {
    for (const part of parts) {
      const params = { path: { name: teaching.name } };
      await api.POST("/v1/classifiers/{name}/images/delete", { params, body: { images: part } });
    }
  };
  await teaching.change(labels, texts.teach.changes.deleted(ids.size), act, parts.length);
}

/** Ids in parts that the service takes at a time. */
function inParts(ids: readonly string[]): string[][] {
  const count = Math.ceil(ids.length / MOST_AT_A_TIME);
  return Array.from({ length: count }, (_, n) =>
    ids.slice(n * MOST_AT_A_TIME, (n + 1) * MOST_AT_A_TIME),
  );
}
