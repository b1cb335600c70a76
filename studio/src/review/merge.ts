import type { components } from "../api/schema";

export type Remembered = components["schemas"]["RememberedOut"];

/** What is known of an inbox, the newest first. */
export interface Listed {
  items: Remembered[];
  /** Of the next page; null: there are no more. */
  cursor: string | null;
}

/** The list with what is now on its first page: new ones come, those that others judged go.
 *
 * @param gone - Judged here; an answer that was on its way then may still hold them.
 */
export function withFirstPage(have: Listed, page: Listed, gone: ReadonlySet<string>): Listed {
  const first = page.items.filter((one) => !gone.has(one.id));
  if (page.cursor === null) return { items: first, cursor: null };
  const onPage = new Set(page.items.map((one) => one.id));
  const last = page.items.at(-1);
  // Nothing in common: more have come than a page holds, and what lies between is not known.
  if (last === undefined || !have.items.some((one) => onPage.has(one.id))) {
    return { items: first, cursor: page.cursor };
  }
  const older = have.items.filter(
    (one) => !onPage.has(one.id) && !gone.has(one.id) && one.asked_at <= last.asked_at,
  );
  // With all that is below the page judged, its own cursor goes on where the page ends.
  return {
    items: [...first, ...older],
    cursor: older.length === 0 ? page.cursor : have.cursor,
  };
}

/** The list with its next page. */
export function withNextPage(have: Listed, page: Listed, gone: ReadonlySet<string>): Listed {
  const known = new Set(have.items.map((one) => one.id));
  const fresh = page.items.filter((one) => !known.has(one.id) && !gone.has(one.id));
  return { items: [...have.items, ...fresh], cursor: page.cursor };
}
