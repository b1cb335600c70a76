import { effect, signal } from "@preact/signals";
import { classifierPath, upload } from "../api/upload";
import { classes, classifier, failure, look, version } from "../classifier/classifier";
import { change, record, revisionOf, underWay } from "../classifier/undo";
import { tell, tellFailure } from "../components/toasts";
import { texts } from "../texts/texts";
import { ClassPictures } from "./class-pictures";
import { Selection } from "./selection";
import type { Answer, Run, Send } from "./sending";
import { Uploads } from "./uploads";

const MILLISECONDS_BETWEEN_TRIES = 4000;

/** What is taught to one classifier here: its pictures, those that are chosen or on their way. */
export class Teaching {
  readonly uploads: Uploads;
  readonly selection = new Selection();
  /** Files of the last uploads that are no pictures, for whoever wants to know. */
  readonly skipped = signal<readonly { file: string; reason: string }[]>([]);
  private readonly shown = new Map<string, ClassPictures>();
  /** The content revision that the pictures shown are of. */
  private seen: number | null = null;
  private changing = 0;
  private from = 0;
  private over: (() => void) | null = null;

  constructor(readonly name: string) {
    const send: Send = (label, files, onProgress, signal) => {
      const form = new FormData();
      for (const file of files) form.append("files", file, file.name);
      const path = classifierPath(name, "classes", label, "images");
      return upload<Answer>(path, form, { onProgress, signal });
    };
    this.uploads = new Uploads(send, {
      onBegin: async () => {
        this.over ??= underWay(name);
        this.from = await revisionOf(name);
      },
      onRegistered: (label, answer) => this.registered(label, answer),
      onEnd: (run) => this.ended(run),
    });
  }

  /** Pictures of a class, which are loaded once somebody looks. */
  pictures(label: string): ClassPictures {
    const known = this.shown.get(label);
    if (known) return known;
    const made = new ClassPictures(this.name, label);
    this.shown.set(label, made);
    return made;
  }

  /** Follows changes that others make, until it is called off. */
  follow(): () => void {
    const ends = [
      effect(() => {
        if (version.value > 0 && !this.uploads.busy.value) void this.catchUp();
      }),
      effect(() => {
        if (this.uploads.status.value !== "halted") return;
        const timer = setInterval(() => void this.goOnIfThere(), MILLISECONDS_BETWEEN_TRIES);
        return () => clearInterval(timer);
      }),
    ];
    return () => {
      for (const end of ends) end();
    };
  }

  private async goOnIfThere(): Promise<void> {
    await look();
    if (failure.peek() === null) this.uploads.goOn();
  }

  /** Chooses all pictures of a class, those that were not loaded so far, too. */
  async selectAll(label: string): Promise<void> {
    const pictures = this.pictures(label);
    await pictures.want(Number.POSITIVE_INFINITY);
    const ids = pictures.all.value.map((one) => one.id);
    this.selection.all(label, ids);
  }

  /** Makes a change that can be undone, and shows what it did to some classes. */
  async change(
    labels: string[],
    text: string,
    act: () => Promise<unknown>,
    requests = 1,
  ): Promise<void> {
    const before = this.seen;
    this.changing += 1;
    try {
      await change(this.name, text, act, requests);
    } finally {
      this.changing -= 1;
      await this.settle(labels, before, requests).catch(tellFailure);
    }
  }

  /** Shows what the service has of the classes that were changed here; of all, if others did. */
  private async settle(labels: Iterable<string>, before: number | null, most: number) {
    const now = await revisionOf(this.name);
    const alone = before !== null && now - before <= most;
    this.seen = now;
    const all = alone ? [...labels].map((label) => this.shown.get(label)) : this.shown.values();
    await this.refresh(all);
  }

  private async catchUp(): Promise<void> {
    try {
      const now = await revisionOf(this.name);
      if (now === this.seen || this.changing > 0 || this.uploads.busy.value) return;
      const first = this.seen === null;
      this.seen = now;
      if (!first) await this.refresh(this.shown.values());
    } catch (error) {
      tellFailure(error);
    }
  }

  /** Loads pictures anew, those of the classes that there are. */
  private async refresh(all: Iterable<ClassPictures | undefined>): Promise<void> {
    if (classifier.value?.name !== this.name) {
      // Another classifier is open by now; whoever comes back has all loaded anew.
      this.shown.clear();
      this.selection.clear();
      this.seen = null;
      return;
    }
    const labels = new Set(classes.value.map((one) => one.label));
    const there = [...all].filter((one) => one !== undefined);
    for (const one of there) if (!labels.has(one.label)) one.forget();
    await Promise.all(there.filter((one) => labels.has(one.label)).map((one) => one.refresh()));
    this.selection.keep((id, label) => this.shown.get(label)?.mayHave(id) ?? false);
  }

  private registered(label: string, answer: Answer): void {
    const created = answer.images.filter((one) => one.status === "created");
    this.pictures(label).add(created);
    this.note(answer.skipped);
    if (!classes.value.some((one) => one.label === label)) void look();
  }

  note(skipped: readonly { file: string; reason: string }[]): void {
    if (skipped.length > 0) this.skipped.value = [...this.skipped.value, ...skipped];
  }

  private async ended(run: Run): Promise<void> {
    const before = this.seen;
    this.changing += 1;
    try {
      const { added, there, refused } = texts.teach.changes;
      const said = [
        run.created > 0 && added(run.created),
        run.duplicates > 0 && there(run.duplicates),
      ];
      if (run.refused > 0) said.push(refused(run.refused));
      const text = said.filter(Boolean).join(" ");
      if (run.created > 0) await record(this.name, text, this.from, run.requests);
      else if (text) tell(text);
    } catch (error) {
      tellFailure(error);
    } finally {
      this.over?.();
      this.over = null;
      this.changing -= 1;
      await this.settle(run.labels, before, run.requests).catch(tellFailure);
    }
  }

  /** Registers what an archive holds; its folders are classes. */
  async sendArchive(
    file: File,
    onProgress: (share: number) => void,
    signal: AbortSignal,
  ): Promise<void> {
    await this.change([], texts.teach.changes.archive(file.name), async () => {
      const answer = await upload<Answer>(classifierPath(this.name, "support"), file, {
        headers: { "content-type": "application/zip" },
        onProgress,
        signal,
      });
      this.note(answer.skipped);
      this.seen = null;
      return answer;
    });
  }
}

const teachings = new Map<string, Teaching>();

/** Of a classifier; kept while the page is open, so that uploads go on beside other pages. */
export function teaching(name: string): Teaching {
  const known = teachings.get(name);
  if (known) return known;
  const made = new Teaching(name);
  teachings.set(name, made);
  return made;
}
