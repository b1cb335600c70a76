import { signal } from "@preact/signals";
import { api, body } from "../api/client";
import { asProblem, type Problem } from "../api/problem";
import type { components } from "../api/schema";

export type Classifier = components["schemas"]["ClassifierOut"];
export type ClassSummary = components["schemas"]["ClassSummary"];

/** Label of explicit negatives: pictures of what is to be unknown. */
export const NEGATIVES = "not-these";

/** The classifier that is open; null: none, or not loaded yet. */
export const classifier = signal<Classifier | null>(null);
/** Its classes, in the service's order. */
export const classes = signal<ClassSummary[]>([]);
/** Counts up with each change of it that was seen; what shows it depends on this. */
export const version = signal(0);
/** Why it cannot be shown. */
export const failure = signal<Problem | null>(null);

const MILLISECONDS_BETWEEN_LOOKS = 4000;
let open: string | null = null;
let etag: string | null = null;

/** Opens a classifier and follows its changes, whoever makes them, until it is closed. */
export function follow(name: string): () => void {
  open = name;
  etag = null;
  classifier.value = null;
  classes.value = [];
  failure.value = null;
  void look();
  const timer = setInterval(
    () => document.visibilityState === "visible" && void look(),
    MILLISECONDS_BETWEEN_LOOKS,
  );
  return () => {
    clearInterval(timer);
    // Another one may be open by now: then that one stays open.
    if (open === name) open = null;
  };
}

/** Looks now whether it has changed; after each change of one's own. */
export async function look(): Promise<void> {
  const name = open;
  if (name === null) return;
  try {
    const path = { params: { path: { name } } };
    const headers = etag === null ? {} : { "if-none-match": etag };
    const answer = await api.GET("/v1/classifiers/{name}", { ...path, headers, cache: "no-store" });
    if (open !== name) return;
    if (answer.response.status === 304) {
      failure.value = null;
      return;
    }
    const listed = body(await api.GET("/v1/classifiers/{name}/classes", path));
    if (open !== name) return;
    etag = answer.response.headers.get("etag");
    classifier.value = body(answer);
    classes.value = listed.classes;
    failure.value = null;
    version.value += 1;
  } catch (error) {
    if (open === name) failure.value = asProblem(error);
  }
}
