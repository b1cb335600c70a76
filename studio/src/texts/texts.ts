import { en, type Texts } from "./en";

/** All languages, by their tag (BCP 47). */
const LANGUAGES: Record<string, Texts> = { en };

/** Texts of the first of the user's languages that there are texts in. */
export const texts: Texts = chosen(navigator.languages);

export function chosen(wanted: readonly string[]): Texts {
  for (const tag of wanted) {
    const found = LANGUAGES[tag.toLowerCase()] ?? LANGUAGES[tag.split("-")[0]?.toLowerCase() ?? ""];
    if (found) return found;
  }
  return en;
}
