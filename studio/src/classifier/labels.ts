import { texts } from "../texts/texts";
import { NEGATIVES } from "./classifier";

/** A label as people read it. */
export function shownLabel(label: string): string {
  return label === NEGATIVES ? texts.app.negatives : label;
}
