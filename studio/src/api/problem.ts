/** Problem document (RFC 9457) of the service, as an error. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly type: string,
    readonly title: string,
    readonly detail: string,
    /** Files at fault, where the request had any. */
    readonly files: FileFault[] = [],
    /** Seconds after which the service wants to be asked again, where it said so. */
    readonly retryAfter?: number,
  ) {
    super(detail || title);
    this.name = "Problem";
  }

  /** The last part of the type, as "no-such-classifier". */
  get kind(): string {
    return this.type.slice(this.type.lastIndexOf("/") + 1);
  }
}

export interface FileFault {
  file: string;
  reason: string;
}

interface Document {
  status?: number;
  type?: string;
  title?: string;
  detail?: string;
  files?: FileFault[];
}

/** Problem of an answer that is none of success, whatever its body is. */
export function problemOf(status: number, body: unknown, retryAfter?: string | null): Problem {
  const said = (typeof body === "object" && body !== null ? body : {}) as Document;
  return new Problem(
    status,
    said.type ?? "",
    said.title ?? `HTTP ${status}`,
    typeof said.detail === "string" ? said.detail : "",
    said.files ?? [],
    Number(retryAfter) || undefined,
  );
}

/** Problem of a request that had no answer. */
export function unreachable(): Problem {
  return new Problem(0, "unreachable", "", "");
}

/** Any error as a problem. */
export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof TypeError) return unreachable();
  return new Problem(-1, "defect", "", error instanceof Error ? error.message : String(error));
}
