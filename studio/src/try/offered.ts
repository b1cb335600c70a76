import { NEGATIVES } from "../classifier/classifier";

const MOST_OFFERED = 100;

/** Labels to choose among for what was typed: those that begin with it, then those that hold it. */
export function offered(labels: readonly string[], typed: string): string[] {
  const wanted = folded(typed);
  const fitting = labels.filter((one) => one !== NEGATIVES && folded(one).includes(wanted));
  const begins = (one: string) => (folded(one).startsWith(wanted) ? 0 : 1);
  return fitting.sort((a, b) => begins(a) - begins(b)).slice(0, MOST_OFFERED);
}

function folded(text: string): string {
  return text.trim().normalize("NFC").toLocaleLowerCase();
}
