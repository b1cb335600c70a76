import createClient, { type Middleware } from "openapi-fetch";
import { problemOf } from "./problem";
import { root } from "./root";
import type { paths } from "./schema";

let csrfToken: string | null = null;
let onSignedOut: () => void = () => {};

/** Says what requests that change anything bring along, and what is done when nobody is signed in. */
export function authenticate(token: string | null, signedOut: () => void): void {
  csrfToken = token;
  onSignedOut = signedOut;
}

/** Header fields that requests which change anything need. */
export function csrfFields(): Record<string, string> {
  return csrfToken === null ? {} : { "x-csrf-token": csrfToken };
}

/** Told of each answer: whoever is signed out has to sign in again. */
export function noteStatus(status: number): void {
  if (status === 401) onSignedOut();
}

const middleware: Middleware = {
  onRequest({ request }) {
    if (request.method !== "GET") {
      for (const [name, value] of Object.entries(csrfFields())) request.headers.set(name, value);
    }
    return request;
  },
  async onResponse({ response }) {
    if (response.ok || response.status === 304) return undefined;
    noteStatus(response.status);
    throw problemOf(response.status, await response.json().catch(() => null));
  },
};

/** The API, typed by its OpenAPI document. What is refused is thrown as a `Problem`. */
export const api = createClient<paths>({ baseUrl: root || window.location.origin });
api.use(middleware);

/** The body of an answer that is there, since everything else was thrown. */
export function body<T>(answer: { data?: T }): T {
  return answer.data as T;
}
