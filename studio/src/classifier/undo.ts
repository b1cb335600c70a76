import { signal } from "@preact/signals";
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

/** What can be undone, the last one last. */
export const done = signal<readonly Change[]>([]);
/** What was undone, and can be made again, the last one last. */
export const undone = signal<readonly Change[]>([]);

/** One message at a time: only the last change can be undone. */
function tell(text: string, action?: Parameters<typeof tellAny>[1]): void {
  tellAny(text, action, "undo");
}

let of: string | null = null;
/** The revision that the last change here led to: at another one somebody else was at work. */
let head: number | null = null;

/** The content revision of a classifier now. */
export async function revisionOf(name: string): Promise<number> {
  const params = { path: { name }, query: { limit: 1 } };
  return body(await api.GET("/v1/classifiers/{name}/history", { params })).revision;
}

/** Makes a change of one request, tells it with a way back, and looks at the classifier anew. */
export async function change<T>(
  name: string,
  text: string | ((result: T) => string),
  act: () => Promise<T>,
): Promise<T> {
  const from = await revisionOf(name);
  const result = await act();
  await record(name, typeof text === "string" ? text : text(result), from, 1);
  return result;
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
  if (name !== of || from !== head) forget(name);
  head = to;
  undone.value = [];
  if (to - from > requests) {
    // Others changed it amid this: going back would undo their work, too.
    forget(name);
    head = to;
    tell(text);
    return;
  }
  const made = { text, from, to };
  done.value = [...done.value, made];
  tell(text, { label: texts.app.undo, run: () => void undoOnly(name, made) });
}

/** Undoes the last change made here. */
export async function undo(name: string): Promise<void> {
  const last = name === of ? done.value.at(-1) : undefined;
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
  const last = name === of ? undone.value.at(-1) : undefined;
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
  if (done.value.at(-1) === which) await undo(name);
  else tell(texts.teach.undo.notLast);
}

/** Reverts to a revision, if nobody else has changed the classifier; tells if so. */
async function back(name: string, to: number): Promise<boolean> {
  try {
    const path = { path: { name } };
    const now = await api.GET("/v1/classifiers/{name}", { params: path, cache: "no-store" });
    if ((await revisionOf(name)) !== head) {
      forget(name);
      tell(texts.teach.undo.others);
      return false;
    }
    // The tag was asked for first: whoever comes between is seen by the service.
    const header = { "if-match": now.response.headers.get("etag") ?? "*" };
    const params = { ...path, query: { to }, header };
    await api.POST("/v1/classifiers/{name}/revert", { params });
    head = await revisionOf(name);
    await look();
    return true;
  } catch (error) {
    tellFailure(error);
    return false;
  }
}

function forget(name: string): void {
  of = name;
  head = null;
  done.value = [];
  undone.value = [];
}
