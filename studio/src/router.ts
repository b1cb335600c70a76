import { computed, signal } from "@preact/signals";

export const TABS = ["teach", "try", "review", "understand", "use"] as const;
export type Tab = (typeof TABS)[number];

export type Place =
  | { page: "classifiers" }
  | { page: "keys" }
  | { page: "classifier"; name: string; tab: Tab };

const hash = signal(window.location.hash);
window.addEventListener("hashchange", () => {
  hash.value = window.location.hash;
});

/** Where the user is. In the fragment, so that the service has one page to serve. */
export const place = computed(() => placeOf(hash.value));

export function placeOf(fragment: string): Place {
  const [first, name, tab] = fragment.replace(/^#\/?/, "").split("/");
  if (first === "keys") return { page: "keys" };
  if (first === "classifiers" && name) {
    const known = TABS.find((one) => one === tab) ?? "teach";
    return { page: "classifier", name: decoded(name), tab: known };
  }
  return { page: "classifiers" };
}

export function linkTo(to: Place): string {
  if (to.page === "classifier") return `#/classifiers/${encodeURIComponent(to.name)}/${to.tab}`;
  return `#/${to.page}`;
}

export function goTo(to: Place): void {
  window.location.hash = linkTo(to);
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
