import { signal } from "@preact/signals";
import { api, body } from "../api/client";
import { asProblem, type Problem } from "../api/problem";
import { type Listed, withFirstPage, withNextPage } from "./merge";

export interface Filter {
  label: string | null;
  known: boolean | null;
}

/** Remembered queries that wait for somebody; null until the service has said. */
export const listed = signal<Listed | null>(null);
/** Which of them are looked at. */
export const filter = signal<Filter>({ label: null, known: null });
/** Why they cannot be shown. */
export const inboxFailure = signal<Problem | null>(null);

const A_PAGE = 100;
const MILLISECONDS_BETWEEN_LOOKS = 5000;
const gone = new Set<string>();
let open: string | null = null;
let isLoadingMore = false;

/** Follows the inbox of a classifier until it is closed. */
export function followInbox(name: string): () => void {
  open = name;
  filter.value = { label: null, known: null };
  reset();
  const timer = setInterval(
    () => document.visibilityState === "visible" && void lookIn(),
    MILLISECONDS_BETWEEN_LOOKS,
  );
  return () => {
    clearInterval(timer);
    open = null;
  };
}

/** Looks at others of them. */
export function choose(wanted: Filter): void {
  filter.value = wanted;
  reset();
}

/** Takes those off the list that are in the inbox no more. */
export function takeOff(ids: Iterable<string>): void {
  for (const id of ids) gone.add(id);
  const have = listed.value;
  if (have) listed.value = { ...have, items: have.items.filter((one) => !gone.has(one.id)) };
}

/** Loads the next page, if there is one. */
export async function loadMore(): Promise<void> {
  const cursor = listed.value?.cursor;
  if (!cursor || isLoadingMore) return;
  isLoadingMore = true;
  try {
    await fetchPage(cursor, (have, page) => (have ? withNextPage(have, page, gone) : page));
  } finally {
    isLoadingMore = false;
  }
}

/** Looks whether others have come or gone. */
export async function lookIn(): Promise<void> {
  await fetchPage(null, (have, page) =>
    withFirstPage(have ?? { items: [], cursor: page.cursor }, page, gone),
  );
}

function reset(): void {
  listed.value = null;
  inboxFailure.value = null;
  void lookIn();
}

async function fetchPage(
  cursor: string | null,
  put: (have: Listed | null, page: Listed) => Listed,
): Promise<void> {
  const name = open;
  const wanted = filter.value;
  if (name === null) return;
  const query = {
    limit: A_PAGE,
    ...(cursor && { cursor }),
    ...(wanted.label !== null && { label: wanted.label }),
    ...(wanted.known !== null && { known: wanted.known }),
  };
  try {
    const path = { params: { path: { name }, query } };
    const page = body(await api.GET("/v1/classifiers/{name}/inbox", path));
    if (open !== name || filter.value !== wanted) return;
    listed.value = put(listed.value, { items: page.items, cursor: page.next_cursor });
    inboxFailure.value = null;
  } catch (error) {
    if (open === name && filter.value === wanted) inboxFailure.value = asProblem(error);
  }
}
