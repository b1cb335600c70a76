import { signal } from "@preact/signals";
import { api, body } from "../api/client";
import { asProblem } from "../api/problem";
import type { components } from "../api/schema";
import type { Cell } from "./confusions";

export type NamedPicture = components["schemas"]["NamedImage"];

export const A_PAGE = 48;
const MOST_OF_AN_ANSWER = 1000;

/** Pictures of a cell of the confusion matrix, the most probable first, as far as somebody looks. */
export class CellPictures {
  readonly shown = signal<readonly NamedPicture[]>([]);
  /** How many there are in all; null: not known yet. */
  readonly of = signal<number | null>(null);
  /** How many of them are not loaded. */
  readonly left = signal(0);
  private wanted = A_PAGE;
  private turn = 0;

  constructor(
    private readonly name: string,
    private readonly cell: Pick<Cell, "label" | "named">,
  ) {}

  /** Loads them anew, as many as somebody wanted to see; what is shown stays until then. */
  async load(): Promise<void> {
    this.turn += 1;
    const turn = this.turn;
    const found: NamedPicture[] = [];
    let of = 0;
    let cursor: string | null = null;
    try {
      do {
        const page = await this.page(cursor, this.wanted - found.length);
        if (turn !== this.turn) return;
        found.push(...page.images);
        of = page.of;
        cursor = page.next_cursor;
      } while (cursor !== null && found.length < this.wanted);
    } catch (error) {
      if (turn !== this.turn) return;
      // The class was renamed or deleted meanwhile.
      if (asProblem(error).kind !== "class-not-found") throw error;
    }
    this.shown.value = found;
    this.of.value = of;
    this.left.value = of - found.length;
  }

  /** Loads a page more. All of it anew, so that what others change leaves no gaps. */
  async more(): Promise<void> {
    this.wanted += A_PAGE;
    return this.load();
  }

  /** Shows these no more: they were dealt with. */
  drop(ids: Pick<ReadonlySet<string>, "has">): void {
    const stay = this.shown.peek().filter((one) => !ids.has(one.image_id));
    if (stay.length < this.shown.peek().length) this.shown.value = stay;
  }

  private async page(cursor: string | null, most: number) {
    const { label, named } = this.cell;
    const limit = Math.min(most, MOST_OF_AN_ANSWER);
    const query = { label, named, limit, ...(cursor !== null && { cursor }) };
    const params = { path: { name: this.name }, query };
    return body(await api.GET("/v1/classifiers/{name}/report/confused", { params }));
  }
}
