import { signal } from "@preact/signals";
import { api, authenticate, body } from "../api/client";
import type { components } from "../api/schema";

export type Session = components["schemas"]["SessionOut"];

/** Who works here; null until the service has said. */
export const session = signal<Session | null>(null);

function took(said: Session): void {
  session.value = said;
  authenticate(said.csrf_token, signedOut);
}

function signedOut(): void {
  const now = session.value;
  if (now?.signed_in) took({ ...now, signed_in: false, csrf_token: null });
}

/** Asks the service who works here. */
export async function loadSession(): Promise<void> {
  took(body(await api.GET("/v1/session")));
}

/** Asks again whenever somebody comes back to this window: another one may have logged in or out. */
export function followSession(): void {
  window.addEventListener("focus", () => {
    const now = session.peek();
    // Where it cannot be reached now, nothing is known to have changed.
    if (now && now.authentication !== "none") loadSession().catch(() => undefined);
  });
}

/** Signs in by a key, which is sent once and kept nowhere here.
 *
 * @throws Problem - The key is none.
 */
export async function logIn(key: string): Promise<void> {
  took(body(await api.POST("/v1/session", { body: { key } })));
}

export async function logOut(): Promise<void> {
  await api.DELETE("/v1/session");
  await loadSession();
}

/** Whether whoever works here may do what that scope allows. */
export function allows(scope: "read" | "predict" | "write" | "admin"): boolean {
  return session.value?.scopes.includes(scope) ?? false;
}
