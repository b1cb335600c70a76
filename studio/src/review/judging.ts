import { batch, signal } from "@preact/signals";
import { api } from "../api/client";
import { asProblem } from "../api/problem";
import type { components } from "../api/schema";
import { look } from "../classifier/classifier";
import { failureText } from "../components/toasts";
import { takeOff } from "./inbox";

export type Verdict =
  | components["schemas"]["ConfirmIn"]
  | components["schemas"]["CorrectIn"]
  | components["schemas"]["RejectIn"]
  | components["schemas"]["DeleteIn"];

interface Task {
  name: string;
  id: string;
  verdict: Verdict;
}

/** Remembered queries that are being judged, or wait for it. */
export const underWay = signal<ReadonlySet<string>>(new Set());
/** Why some could not be judged, by their ids. */
export const faults = signal<ReadonlyMap<string, string>>(new Map());
/** How many are judged of those that were to be, since all was done the last time. */
export const progress = signal({ done: 0, of: 0 });
/** Counts up when all is done. */
export const rounds = signal(0);

const MOST_AT_ONCE = 4;
const waiting: Task[] = [];
let running = 0;

/** Judges remembered queries, one request each; they stay on the list until that is done. */
export function judge(name: string, ids: readonly string[], verdict: Verdict): void {
  const fresh = ids.filter((id) => !underWay.value.has(id));
  if (fresh.length === 0) return;
  batch(() => {
    const now = progress.value;
    const isNew = running === 0 && waiting.length === 0;
    progress.value = { done: isNew ? 0 : now.done, of: (isNew ? 0 : now.of) + fresh.length };
    underWay.value = new Set([...underWay.value, ...fresh]);
    faults.value = new Map([...faults.value].filter(([id]) => !fresh.includes(id)));
  });
  waiting.push(...fresh.map((id) => ({ name, id, verdict })));
  while (running < MOST_AT_ONCE && waiting.length > 0) void work();
}

async function work(): Promise<void> {
  running += 1;
  for (let task = waiting.shift(); task !== undefined; task = waiting.shift()) await one(task);
  running -= 1;
  if (running === 0) {
    rounds.value += 1;
    await look();
  }
}

async function one({ name, id, verdict }: Task): Promise<void> {
  let fault: string | null = null;
  try {
    const path = { params: { path: { name, item_id: id } }, body: verdict };
    await api.POST("/v1/classifiers/{name}/inbox/{item_id}", path);
  } catch (error) {
    // Somebody else was first: it needs nobody any more.
    if (asProblem(error).kind !== "not-in-the-inbox") fault = failureText(error);
  }
  batch(() => {
    underWay.value = new Set([...underWay.value].filter((other) => other !== id));
    progress.value = { ...progress.value, done: progress.value.done + 1 };
    if (fault === null) takeOff([id]);
    else faults.value = new Map([...faults.value, [id, fault]]);
  });
}
