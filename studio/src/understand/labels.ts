import { NEGATIVES } from "../classifier/classifier";
import { texts } from "../texts/texts";

/** A label as people read it. */
export function shownLabel(label: string): string {
  return label === NEGATIVES ? texts.app.negatives : label;
}
