import { signal } from "@preact/signals";
import { api, body } from "../api/client";
import { asProblem, type Problem } from "../api/problem";
import type { components } from "../api/schema";
import { version } from "../classifier/classifier";

export type Report = components["schemas"]["ReportOut"];

/** The report as it was made last; an old one stays until a new one is there. */
export const report = signal<Report | null>(null);
/** Whether one is being made. */
export const making = signal(false);
/** Why the last one could not be made. */
export const reportFailure = signal<Problem | null>(null);
/** Pictures that were moved, deleted or kept here since, by the last report asked for before. */
export const settled = signal<ReadonlyMap<string, number>>(new Map());

const MILLISECONDS_AFTER_A_CHANGE = 700;
// A picture that was said to be right stays so until the page is left for another classifier.
const FOR_GOOD = Number.POSITIVE_INFINITY;
let of: string | null = null;
let asked = 0;

/** Notes that there is nothing more to be done about a picture, by this report. */
export function settle(images: Iterable<string>, kept = false): void {
  const at = kept ? FOR_GOOD : asked;
  settled.value = new Map([...settled.value, ...[...images].map((id) => [id, at] as const)]);
}

/** Makes the report of a classifier after each of its changes, one at a time, until it is closed. */
export function followReport(name: string): () => void {
  if (of !== name) {
    report.value = null;
    settled.value = new Map();
  }
  of = name;
  reportFailure.value = null;
  const closing = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isDue = false;
  const soon = (milliseconds: number) => {
    if (making.value) isDue = true;
    else timer ??= setTimeout(make, milliseconds);
  };
  const make = async () => {
    timer = undefined;
    isDue = false;
    making.value = true;
    asked += 1;
    const number = asked;
    try {
      const path = { params: { path: { name } }, signal: closing.signal };
      const made = body(await api.GET("/v1/classifiers/{name}/report", path));
      if (closing.signal.aborted) return;
      report.value = made;
      reportFailure.value = null;
      settled.value = new Map([...settled.value].filter(([, at]) => at >= number));
    } catch (error) {
      if (!closing.signal.aborted) reportFailure.value = asProblem(error);
    } finally {
      if (!closing.signal.aborted) {
        making.value = false;
        if (isDue) soon(MILLISECONDS_AFTER_A_CHANGE);
      }
    }
  };
  // Called at once, and after each change.
  const stop = version.subscribe(() =>
    soon(report.peek() === null ? 0 : MILLISECONDS_AFTER_A_CHANGE),
  );
  return () => {
    stop();
    clearTimeout(timer);
    closing.abort();
    making.value = false;
  };
}
