import { type Signal, signal } from "@preact/signals";
import { api, body } from "../api/client";
import { tell as tellAny, tellFailure } from "../components/toasts";
import { texts } from "../texts/texts";
import { look } from "./classifier";

/** A change made here, between two content revisions of the classifier. */
export interface Change {
  text: string;
  from: number;
  to: number;
}

/** What was changed here of one classifier. */
interface Past {
  /** What can be undone, the last one last. */
  done: Signal<readonly Change[]>;
  /** What was undone, and can be made again, the last one last. */
  undone: Signal<readonly Change[]>;
  /** The revision that the last change here led to: at another one somebody else was at work. */
  head: number | null;
  /** Changes that are being made: until they are, nothing can be undone. */
  under: number;
  /** Ends when the last change that was asked for has: they are made one after the other. */
  last: Promise<unknown>;
}

const pasts = new Map<string, Past>();

export function pastOf(name: string): Past {
  const known = pasts.get(name);
  if (known) return known;
  const made: Past = {
    done: signal([]),
    undone: signal([]),
    head: null,
    under: 0,
    last: Promise.resolve(),
  };
  pasts.set(name, made);
  return made;
}

/** One message at a time: only the last change can be undone. */
function tell(text: string, action?: Parameters<typeof tellAny>[1]): void {
  tellAny(text, action, "undo");
}

/** The content revision of a classifier now. */
export async function revisionOf(name: string): Promise<number> {
  const params = { path: { name }, query: { limit: 1 } };
  return body(await api.GET("/v1/classifiers/{name}/history", { params })).revision;
}

/** Says that a change begins; what it gives says that it is over. */
export function underWay(name: string): () => void {
  const past = pastOf(name);
  past.under += 1;
  return () => {
    past.under -= 1;
  };
}

/** Makes a change, of one request mostly, tells it with a way back, and looks at the classifier anew. */
export function change<T>(
  name: string,
  text: string | ((result: T) => string),
  act: () => Promise<T>,
  requests = 1,
): Promise<T> {
  const past = pastOf(name);
  const over = underWay(name);
  const make = async () => {
    const from = await revisionOf(name);
    const result = await act();
    await record(name, typeof text === "string" ? text : text(result), from, requests);
    return result;
  };
  const made = past.last.then(make).finally(over);
  past.last = made.catch(() => undefined);
  return made;
}

/** Remembers and tells what has been changed since a revision, by so many requests. */
export async function record(
  name: string,
  text: string,
  from: number,
  requests: number,
): Promise<void> {
  const to = await revisionOf(name);
  await look();
  if (to === from) return;
  const past = pastOf(name);
  const before = from === past.head ? past.done.value : [];
  past.head = to;
  past.undone.value = [];
  if (to - from > requests) {
    // Others changed it amid this: going back would undo their work, too.
    past.done.value = [];
    tell(text);
    return;
  }
  const made = { text, from, to };
  past.done.value = [...before, made];
  tell(text, { label: texts.app.undo, run: () => void undoOnly(name, made) });
}

/** Undoes the last change made here. */
export async function undo(name: string): Promise<void> {
  const { done, undone } = pastOf(name);
  const last = done.value.at(-1);
  if (last === undefined) {
    tell(texts.teach.undo.nothing);
    return;
  }
  if (await back(name, last.from)) {
    done.value = done.value.slice(0, -1);
    undone.value = [...undone.value, last];
    tell(texts.teach.undo.undone(last.text), {
      label: texts.teach.undo.redo,
      run: () => void redo(name),
    });
  }
}

/** Makes anew what was undone last. */
export async function redo(name: string): Promise<void> {
  const { done, undone } = pastOf(name);
  const last = undone.value.at(-1);
  if (last === undefined) {
    tell(texts.teach.undo.nothingToRedo);
    return;
  }
  if (await back(name, last.to)) {
    undone.value = undone.value.slice(0, -1);
    done.value = [...done.value, last];
    tell(last.text, { label: texts.app.undo, run: () => void undoOnly(name, last) });
  }
}

/** Undoes a change whose message is still shown, unless another came after it. */
async function undoOnly(name: string, which: Change): Promise<void> {
  if (pastOf(name).done.value.at(-1) === which) await undo(name);
  else tell(texts.teach.undo.notLast);
}

/** Reverts to a revision, if nobody else has changed the classifier; tells if so. */
async function back(name: string, to: number): Promise<boolean> {
  const past = pastOf(name);
  if (past.under > 0) {
    tell(texts.teach.undo.busy);
    return false;
  }
  const over = underWay(name);
  try {
    const path = { path: { name } };
    const now = await api.GET("/v1/classifiers/{name}", { params: path, cache: "no-store" });
    if ((await revisionOf(name)) !== past.head) {
      past.done.value = [];
      past.undone.value = [];
      tell(texts.teach.undo.others);
      return false;
    }
    // The tag was asked for first: whoever comes between is seen by the service.
    const header = { "if-match": now.response.headers.get("etag") ?? "*" };
    const params = { ...path, query: { to }, header };
    await api.POST("/v1/classifiers/{name}/revert", { params });
    past.head = await revisionOf(name);
    await look();
    return true;
  } catch (error) {
    tellFailure(error);
    return false;
  } finally {
    over();
  }
}
