import { csrfFields, noteStatus } from "./client";
import { type Problem, problemOf, unreachable } from "./problem";
import { root } from "./root";

export interface UploadOptions {
  method?: "POST" | "PUT";
  headers?: Record<string, string>;
  /** Share of the body that has been sent, 0 to 1; `fetch` does not tell. */
  onProgress?: (share: number) => void;
  signal?: AbortSignal;
}

/** Sends a body and tells how much of it has gone.
 *
 * @param path - Below the root, with its query, each segment encoded.
 * @throws Problem - What was refused, or could not be sent.
 */
export function upload<T>(
  path: string,
  content: FormData | Blob,
  options: UploadOptions = {},
): Promise<T> {
  return new Promise<T>((resolve, reject: (reason: Problem | DOMException) => void) => {
    const request = new XMLHttpRequest();
    request.open(options.method ?? "POST", root + path);
    request.responseType = "json";
    const headers = { ...csrfFields(), ...options.headers };
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => {
      if (event.lengthComputable) options.onProgress?.(event.loaded / event.total);
    };
    request.onload = () => {
      if (request.status >= 200 && request.status < 300) {
        resolve(request.response as T);
        return;
      }
      noteStatus(request.status);
      const retryAfter = request.getResponseHeader("retry-after");
      reject(problemOf(request.status, request.response, retryAfter));
    };
    request.onerror = () => reject(unreachable());
    request.onabort = () => reject(new DOMException("", "AbortError"));
    options.signal?.addEventListener("abort", () => request.abort());
    request.send(content);
  });
}

/** Path of something of a classifier, each segment encoded. */
export function classifierPath(name: string, ...segments: string[]): string {
  return ["/v1/classifiers", ...[name, ...segments].map(encodeURIComponent)].join("/");
}
