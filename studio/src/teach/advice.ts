import { effect, signal } from "@preact/signals";
import { api, body } from "../api/client";
import type { components } from "../api/schema";
import { version } from "../classifier/classifier";
import type { Teaching } from "./teaching";

export type Advice = components["schemas"]["AdviceOut"];
export type Suspect = components["schemas"]["Suspect"];
export type Spare = components["schemas"]["SpareImage"];

/** What the service advises for a class. */
export interface ClassAdvice {
  /** More pictures of this class would help most: so many; its share that is recognised now. */
  need: { more: number; right: number | null } | null;
  suspects: readonly Suspect[];
  copies: readonly Spare[];
}

const MILLISECONDS_OF_QUIET = 1500;
const MILLISECONDS_OF_QUIET_WHEN_DEAR = 20_000;

/** The advice on what is shown; null: none yet, or none that is still true. */
export const advice = signal<Advice | null>(null);
/** Suspects that the user has decided to keep; of this page, as the service keeps no such thing. */
export const kept = signal<ReadonlySet<string>>(new Set());

/** Asks for advice once changes have settled, as the service computes it from all pictures. */
export function followAdvice(teaching: Teaching): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let abort: AbortController | undefined;
  let dear = false;
  const ask = async () => {
    abort = new AbortController();
    const params = { path: { name: teaching.name } };
    const begun = performance.now();
    try {
      const answer = await api.GET("/v1/classifiers/{name}/suggest", {
        params,
        signal: abort.signal,
      });
      advice.value = body(answer);
      dear = performance.now() - begun > MILLISECONDS_OF_QUIET;
    } catch {
      // Advice is a help; without it nothing is wrong.
      advice.value = null;
    }
  };
  const stop = effect(() => {
    const changed = version.value > 0;
    const busy = teaching.uploads.busy.value;
    clearTimeout(timer);
    abort?.abort();
    if (!changed || busy) return;
    timer = setTimeout(ask, dear ? MILLISECONDS_OF_QUIET_WHEN_DEAR : MILLISECONDS_OF_QUIET);
  });
  return () => {
    stop();
    clearTimeout(timer);
    abort?.abort();
    advice.value = null;
  };
}

/** The part of it that is of one class. */
export function adviceOf(
  whole: Advice | null,
  label: string,
  keep: ReadonlySet<string>,
): ClassAdvice {
  if (whole === null) return { need: null, suspects: [], copies: [] };
  // The service names first the class that more pictures would help most.
  const most = whole.verdict === "enough" ? undefined : whole.classes[0];
  return {
    need: most?.label === label ? { more: whole.more, right: most.recall?.value ?? null } : null,
    suspects: whole.look_at.filter((one) => one.label === label && !keep.has(one.image_id)),
    copies: whole.can_go.filter(
      (one) => one.label === label && one.reason === "near copy" && !keep.has(one.image_id),
    ),
  };
}

export function keep(ids: Iterable<string>): void {
  kept.value = new Set([...kept.value, ...ids]);
}
