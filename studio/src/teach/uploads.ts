import { computed, signal } from "@preact/signals";
import { asProblem, type Problem } from "../api/problem";
import { nextBatch } from "./batches";
import type { Answer, Pending, PendingState, Run, Send } from "./sending";
import { withUnreadable } from "./unreadable";

interface Listener {
  /** Awaited before the first picture is sent. */
  onBegin: () => Promise<void>;
  onRegistered: (label: string, answer: Answer) => void;
  onEnd: (run: Run) => Promise<void>;
}

const REQUESTS_AT_ONCE = 2;
const LONGEST_WAIT_SECONDS = 15;

/** Whether the same request may be answered later; until then nothing else is sent either. */
function mayPass(problem: Problem): boolean {
  return [0, 401, 429, 503].includes(problem.status);
}

/** Sends pictures to classes, some at a time, until all are registered or refused. */
export class Uploads {
  /** Pictures that are not registered yet, by their class, as they came. */
  readonly pending = signal<ReadonlyMap<string, readonly Pending[]>>(new Map());
  /** Those of them that the service does not take. */
  readonly refused = signal<readonly Pending[]>([]);
  /** "waiting": the service is busy, it goes on by itself; "halted": it cannot be reached. */
  readonly status = signal<"idle" | "sending" | "waiting" | "halted">("idle");
  readonly total = signal(0);
  readonly finished = signal(0);
  readonly busy = computed(() => this.status.value !== "idle");

  private queue: Pending[] = [];
  private inFlight = 0;
  private held = 0;
  private run: Run | null = null;
  private begun: Promise<void> | null = null;
  private ready = false;
  private lastId = 0;
  private tries = 0;
  private abort = new AbortController();
  private alone = new WeakSet<File>();

  constructor(
    private readonly send: Send,
    private readonly listener: Listener,
  ) {}

  /** Puts pictures in the queue of what is sent. */
  add(label: string, files: readonly File[]): void {
    if (files.length === 0) return;
    const added = files.map(
      (file): Pending => ({
        id: ++this.lastId,
        label,
        file,
        state: signal<PendingState>({ kind: "waiting" }),
      }),
    );
    this.queue.push(...added);
    this.show(label, [...(this.pending.value.get(label) ?? []), ...added]);
    this.total.value += added.length;
    if (this.status.value === "idle") this.begin();
    else this.next();
  }

  /** Takes away pictures that were refused, once the user has seen why. */
  dismiss(pending: readonly Pending[]): void {
    this.drop(new Set(pending));
  }

  /** Goes on after the service could not be reached. */
  goOn(): void {
    if (this.status.value !== "halted" && this.status.value !== "waiting") return;
    this.status.value = "sending";
    if (this.ready) this.next();
    else this.prepare();
  }

  /** Keeps what is sent from now on one run until it is released, with pauses in between. */
  hold(): () => void {
    this.held += 1;
    return () => {
      this.held -= 1;
      if (this.inFlight === 0 && this.queue.length === 0) void this.end();
    };
  }

  /** Sends nothing more; what was registered stays. */
  cancel(): void {
    this.abort.abort();
    this.abort = new AbortController();
    const cancelled = new Set(this.queue);
    this.queue = [];
    this.drop(cancelled);
    if (this.inFlight === 0) void this.end();
  }

  private begin(): void {
    this.status.value = "sending";
    this.finished.value = 0;
    this.total.value = this.queue.length;
    this.run = {
      created: 0,
      duplicates: 0,
      refused: 0,
      requests: 0,
      skipped: [],
      labels: new Set(),
    };
    this.prepare();
  }

  private prepare(): void {
    this.begun = this.listener.onBegin().then(
      () => {
        this.ready = true;
        this.next();
      },
      (error) => this.notBegun(asProblem(error)),
    );
  }

  private notBegun(problem: Problem): void {
    if (mayPass(problem)) {
      this.stopFor(problem);
      return;
    }
    const all = this.queue;
    this.queue = [];
    this.failed(all, problem);
    void this.end();
  }

  private next(): void {
    if (this.status.value !== "sending" || this.run === null || !this.ready) return;
    while (this.inFlight < REQUESTS_AT_ONCE && this.queue.length > 0) {
      const { batch, rest } = nextBatch(this.queue, this.alone);
      this.queue = rest;
      this.inFlight += 1;
      void this.sendBatch(batch).finally(() => {
        this.inFlight -= 1;
        if (this.queue.length > 0) this.next();
        else if (this.inFlight === 0) void this.end();
      });
    }
  }

  private async sendBatch(batch: Pending[]): Promise<void> {
    const label = batch[0]?.label ?? "";
    const share = signal(0);
    const run = this.run as Run;
    run.requests += 1;
    for (const one of batch) one.state.value = { kind: "sending", share };
    try {
      const files = batch.map((one) => one.file);
      const progress = (now: number) => {
        share.value = now;
      };
      const answer = await this.send(label, files, progress, this.abort.signal);
      this.tries = 0;
      run.created += answer.created;
      run.duplicates += answer.duplicates;
      run.skipped.push(...answer.skipped);
      run.labels = new Set([...run.labels, label]);
      this.finished.value += batch.length;
      this.listener.onRegistered(label, answer);
      this.drop(new Set(batch));
    } catch (error) {
      if (error instanceof DOMException && error.name === "AbortError") this.drop(new Set(batch));
      else this.failed(batch, await withUnreadable(asProblem(error), batch));
    }
  }

  private failed(batch: Pending[], problem: Problem): void {
    if (mayPass(problem)) {
      this.again(batch);
      this.stopFor(problem);
      return;
    }
    const reasons = new Map(problem.files.map((fault) => [fault.file, fault.reason]));
    const atFault = batch.filter((one) => reasons.has(one.file.name));
    if (atFault.length === 0 && problem.status === 413 && batch.length > 1) {
      // Too much together may be little enough one by one.
      for (const one of batch) this.alone.add(one.file);
      this.again(batch);
      return;
    }
    const refused = atFault.length > 0 ? atFault : batch;
    for (const one of refused) {
      const reason = reasons.get(one.file.name) ?? problem.message;
      one.state.value = { kind: "refused", reason };
    }
    this.refused.value = [...this.refused.value, ...refused];
    if (this.run) this.run.refused += refused.length;
    this.finished.value += refused.length;
    this.again(batch.filter((one) => !refused.includes(one)));
  }

  private again(batch: readonly Pending[]): void {
    for (const one of batch) one.state.value = { kind: "waiting" };
    this.queue = [...batch, ...this.queue];
  }

  private stopFor(problem: Problem): void {
    if (problem.status === 429 || problem.status === 503) {
      if (this.status.value === "waiting") return;
      this.status.value = "waiting";
      const backOff = Math.min(LONGEST_WAIT_SECONDS, 2 ** this.tries);
      this.tries += 1;
      const seconds = problem.retryAfter ?? backOff;
      setTimeout(() => this.status.value === "waiting" && this.goOn(), 1000 * seconds);
    } else this.status.value = "halted";
  }

  private async end(): Promise<void> {
    const { run } = this;
    if (run === null || this.held > 0) return;
    this.run = null;
    await this.begun;
    this.ready = false;
    this.total.value = 0;
    this.status.value = "idle";
    // Added after all was cancelled, before the run was over.
    if (this.queue.length > 0) this.begin();
    await this.listener.onEnd(run);
  }

  private drop(gone: ReadonlySet<Pending>): void {
    if (this.refused.value.length > 0) {
      this.refused.value = this.refused.value.filter((one) => !gone.has(one));
    }
    for (const label of new Set([...gone].map((one) => one.label))) {
      const left = (this.pending.value.get(label) ?? []).filter((one) => !gone.has(one));
      this.show(label, left);
    }
  }

  private show(label: string, pending: readonly Pending[]): void {
    const shown = new Map(this.pending.value);
    if (pending.length > 0) shown.set(label, pending);
    else shown.delete(label);
    this.pending.value = shown;
  }
}
