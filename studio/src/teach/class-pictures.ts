import { computed, signal } from "@preact/signals";
import { api, body } from "../api/client";
import type { components } from "../api/schema";

type Listed = components["schemas"]["ImageOut"];
/** A picture of a class; what was only just registered lacks what its list says of it. */
export type Picture = Pick<Listed, "id" | "filename"> & Partial<Listed>;

const A_PAGE = 1000;

/** Pictures of one class, loaded by pages as far as somebody looks. */
export class ClassPictures {
  /** What was registered here comes first, the last one foremost; the service lists it last. */
  private readonly fresh = signal<readonly Picture[]>([]);
  private readonly listed = signal<readonly Picture[]>([]);
  /** Whether all of them are loaded. */
  readonly complete = signal(false);
  readonly all = computed<readonly Picture[]>(() => {
    const fresh = new Map(this.fresh.value.map((one) => [one.id, one]));
    const known = this.listed.value;
    if (fresh.size === 0) return known;
    for (const one of known) if (fresh.has(one.id)) fresh.set(one.id, one);
    const rest = known.filter((one) => !fresh.has(one.id));
    return [...fresh.values(), ...rest];
  });
  private readonly ids = computed(() => new Set(this.all.value.map((one) => one.id)));
  private cursor: string | null = null;
  private wanted = 0;
  private loading: Promise<void> | null = null;
  private generation = 0;

  constructor(
    private readonly classifier: string,
    readonly label: string,
  ) {}

  /** Loads until there are so many, or all. */
  async want(count: number): Promise<void> {
    this.wanted = Math.max(this.wanted, count);
    this.loading ??= this.load().finally(() => {
      this.loading = null;
    });
    return this.loading;
  }

  /** Loads anew what was loaded; what is shown stays until then. */
  async refresh(): Promise<void> {
    if (this.wanted === 0) return;
    this.generation += 1;
    await this.loading?.catch(() => undefined);
    const generation = this.generation;
    const found: Picture[] = [];
    let cursor: string | null = null;
    do {
      const page = await this.page(cursor);
      if (page === null) {
        this.forget();
        return;
      }
      found.push(...page.images);
      cursor = page.next_cursor;
    } while (cursor !== null && found.length < this.wanted);
    if (generation !== this.generation) return;
    this.take(found, cursor);
  }

  /** Whether a picture may be of this class, as far as it is loaded. */
  mayHave(id: string): boolean {
    return !this.complete.value || this.ids.value.has(id);
  }

  /** Shows pictures that came here by a change, before any list has them. */
  add(pictures: readonly Picture[]): void {
    const added = pictures.filter((one) => !this.ids.value.has(one.id)).reverse();
    this.fresh.value = [...added, ...this.fresh.value];
  }

  remove(ids: ReadonlySet<string>): void {
    const stays = (one: Picture) => !ids.has(one.id);
    this.fresh.value = this.fresh.value.filter(stays);
    this.listed.value = this.listed.value.filter(stays);
  }

  private async load(): Promise<void> {
    while (!this.complete.value && this.all.value.length < this.wanted) {
      const generation = this.generation;
      const page = await this.page(this.cursor);
      if (generation !== this.generation) return;
      if (page === null) {
        this.forget();
        return;
      }
      this.take([...this.listed.value, ...page.images], page.next_cursor);
    }
  }

  private take(listed: Picture[], cursor: string | null): void {
    this.listed.value = listed;
    this.cursor = cursor;
    this.complete.value = cursor === null;
    if (cursor !== null) return;
    const ids = new Set(listed.map((one) => one.id));
    this.fresh.value = this.fresh.value.filter((one) => ids.has(one.id));
  }

  /** There are none: the class is gone. */
  forget(): void {
    this.take([], null);
  }

  /** A page; null: there is no such class. */
  private async page(cursor: string | null) {
    const query = { limit: A_PAGE, ...(cursor !== null && { cursor }) };
    const path = { name: this.classifier, label: this.label };
    try {
      const params = { path, query };
      const answer = await api.GET("/v1/classifiers/{name}/classes/{label}", {
        params,
        cache: "no-store",
      });
      return body(answer);
    } catch (error) {
      if ((error as { status?: number }).status === 404) return null;
      throw error;
    }
  }
}
