import { computed, signal } from "@preact/signals";
import { asProblem, type Problem } from "../api/problem";
import type { components } from "../api/schema";
import { version } from "../classifier/classifier";
import { session } from "../session/session";
import { type Prediction, predict, predictUnremembered } from "./predicting";

export type TakenFor = components["schemas"]["TakenFor"];

/** What became of a correction: the picture is an example of the label now. */
export interface Correction {
  label: string;
  imageId: string;
  /** Whether it was one before, byte for byte. */
  wasOne: boolean;
  before: TakenFor | null;
  after: TakenFor | null;
}

/** Picture that is tried, and what the service said of it. */
export interface Trial {
  id: number;
  file: Blob;
  name: string;
  /** Address of the picture in this browser. */
  url: string;
  /** Share of it that has been sent. */
  sent: number;
  answer: Prediction | null;
  /** Which state of the classifier has answered. */
  version: number;
  /** Time that the answer took, from the request on. */
  milliseconds: number;
  problem: Problem | null;
  correction: Correction | null;
}

const CANDIDATES = 8;
const EVIDENCE = 8;
const MOST_KEPT = 60;
const AT_ONCE = 2;

/** Pictures that were tried with the classifier that is open, the newest last. */
export const trials = signal<Trial[]>([]);
const chosenId = signal(0);
/** The one that is looked at. */
export const chosen = computed(() => trials.value.find((one) => one.id === chosenId.value) ?? null);

let owner = "";
let user: string | null = null;
let lastId = 0;
let asking = 0;
let waiting: number[] = [];

/** Starts afresh where another classifier was opened, or somebody else has signed in. */
export function openFor(name: string): void {
  const now = session.peek()?.key_id ?? null;
  if (owner === name && user === now) return;
  owner = name;
  user = now;
  for (const one of trials.value) URL.revokeObjectURL(one.url);
  trials.value = [];
  waiting = [];
}

export function choose(id: number): void {
  chosenId.value = id;
}

/** The next one or the one before, as far as there are any. */
export function step(by: number): void {
  const at = trials.value.findIndex((one) => one.id === chosenId.value);
  const next = trials.value[at + by];
  if (next) choose(next.id);
}

/** Shows pictures at once and asks for their answers, some at a time. */
export function tryPictures(pictures: readonly { file: Blob; name: string }[]): void {
  const added = pictures.map(({ file, name }) => trialOf(file, name));
  const kept = [...trials.value, ...added];
  for (const one of kept.slice(0, -MOST_KEPT)) URL.revokeObjectURL(one.url);
  trials.value = kept.slice(-MOST_KEPT);
  const first = added[0];
  if (first) choose(trials.value.includes(first) ? first.id : (trials.value[0]?.id ?? 0));
  waiting.push(...added.map((one) => one.id));
  for (let free = asking; free < AT_ONCE; free += 1) void work();
}

/** Asks again of a picture, as after a change of the classifier. What is shown stays until then. */
export async function ask(id: number): Promise<void> {
  const trial = trials.value.find((one) => one.id === id);
  if (!trial) return;
  const begun = performance.now();
  // Noted before the answer is there, so that a change is asked about once.
  put(id, { version: version.peek() });
  try {
    const onProgress = (sent: number) => put(id, { sent });
    const asked = { candidates: CANDIDATES, evidence: EVIDENCE, onProgress };
    // What was asked before is remembered once.
    const again = trial.answer !== null;
    const answer = await (again ? predictUnremembered : predict)(owner, trial.file, asked);
    put(id, { answer, problem: null, sent: 1, milliseconds: performance.now() - begun });
  } catch (error) {
    put(id, { problem: asProblem(error), sent: 1 });
  }
}

export function put(id: number, change: Partial<Trial>): void {
  trials.value = trials.value.map((one) => (one.id === id ? { ...one, ...change } : one));
}

async function work(): Promise<void> {
  asking += 1;
  for (let id = waiting.shift(); id !== undefined; id = waiting.shift()) await ask(id);
  asking -= 1;
}

function trialOf(file: Blob, name: string): Trial {
  lastId += 1;
  const url = URL.createObjectURL(file);
  return {
    id: lastId,
    file,
    name,
    url,
    sent: 0,
    answer: null,
    version: 0,
    milliseconds: 0,
    problem: null,
    correction: null,
  };
}
