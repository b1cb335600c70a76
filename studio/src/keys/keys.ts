import type { components } from "../api/schema";

export type Key = components["schemas"]["KeyOut"];
export type NewKey = components["schemas"]["NewKeyOut"];
export type KeyTerms = components["schemas"]["KeyIn"];

export const SCOPES = ["read", "predict", "write", "admin"] as const;
export type Scope = (typeof SCOPES)[number];

const DAY_MILLISECONDS = 86_400_000;

/** Whether a key is valid; if not, why. */
export function stateOf(key: Key, now: number): "valid" | "revoked" | "expired" {
  if (key.revoked_at !== null && Date.parse(key.revoked_at) <= now) return "revoked";
  if (key.expires_at !== null && Date.parse(key.expires_at) <= now) return "expired";
  return "valid";
}

/** When a valid key ends, as one that was replaced does; null: never. */
export function endOf(key: Key): string | null {
  const ends = [key.revoked_at, key.expires_at].filter((one) => one !== null);
  return ends.sort((a, b) => Date.parse(a) - Date.parse(b))[0] ?? null;
}

/** Valid keys first, and the newest of each first. */
export function inOrder(keys: readonly Key[], now: number): Key[] {
  const rank = (key: Key) => (stateOf(key, now) === "valid" ? 0 : 1);
  return [...keys].sort(
    (a, b) => rank(a) - rank(b) || Date.parse(b.created_at) - Date.parse(a.created_at),
  );
}

/** Terms of a key as the form has them. */
export function termsOf(form: FormData, now: number): KeyTerms {
  const classifiers = words(form.get("classifiers"));
  const days = Number(form.get("days"));
  const tenant = String(form.get("tenant") ?? "").trim();
  return {
    name: String(form.get("name") ?? "").trim(),
    scopes: SCOPES.filter((one) => form.getAll("scope").includes(one)),
    classifiers: classifiers.length > 0 ? classifiers : null,
    expires_at: days > 0 ? new Date(now + days * DAY_MILLISECONDS).toISOString() : null,
    ...(tenant && { tenant }),
  };
}

function words(field: FormDataEntryValue | null): string[] {
  return String(field ?? "")
    .split(/[\s,]+/)
    .filter((one) => one !== "");
}
