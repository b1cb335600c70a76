import { signal } from "@preact/signals";

/** Pictures that are chosen, each with its class; of several classes at a time. */
export class Selection {
  readonly chosen = signal<ReadonlyMap<string, string>>(new Map());
  /** Where a range begins: the picture that was chosen last. */
  private anchor: { label: string; id: string } | null = null;

  has(id: string): boolean {
    return this.chosen.value.has(id);
  }

  clear(): void {
    if (this.chosen.value.size > 0) this.chosen.value = new Map();
    this.anchor = null;
  }

  only(label: string, id: string): void {
    this.chosen.value = new Map([[id, label]]);
    this.anchor = { label, id };
  }

  /** Chooses a picture or gives it up; with `toHere` all from the last one to this. */
  pick(label: string, ids: readonly string[], index: number, toHere: boolean): void {
    const id = ids[index];
    if (id === undefined) return;
    const next = new Map(this.chosen.value);
    const from = this.anchor?.label === label ? ids.indexOf(this.anchor.id) : -1;
    if (toHere && from >= 0) {
      const [low, high] = from < index ? [from, index] : [index, from];
      for (const one of ids.slice(low, high + 1)) next.set(one, label);
    } else {
      if (!next.delete(id)) next.set(id, label);
      this.anchor = { label, id };
    }
    this.chosen.value = next;
  }

  all(label: string, ids: readonly string[]): void {
    const next = new Map(this.chosen.value);
    for (const id of ids) next.set(id, label);
    this.chosen.value = next;
  }

  /** Gives up pictures that there are no more. */
  keep(isThere: (id: string, label: string) => boolean): void {
    const kept = [...this.chosen.value].filter(([id, label]) => isThere(id, label));
    if (kept.length < this.chosen.value.size) this.chosen.value = new Map(kept);
  }
}
