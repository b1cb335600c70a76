import type { components } from "../api/schema";

type Ranked = components["schemas"]["RankedLabelOut"];

/** What speaks for a class, as shares of the longest bar: what its name adds, and its pictures. */
export interface Contribution {
  label: string;
  name: number;
  pictures: number;
}

/** What name and pictures speak for each candidate.
 *
 * Both are terms of a logit, of which only differences count: each is told by how much it is above
 * the least of the candidates that are shown, so that bars begin at nothing, and the longest wins.
 */
export function contributions(candidates: readonly Ranked[]): Contribution[] {
  const least = (of: "zero_shot" | "cache") => Math.min(...candidates.map((one) => one[of]));
  const [leastName, leastPictures] = [least("zero_shot"), least("cache")];
  const longest = Math.max(
    ...candidates.map((one) => one.zero_shot - leastName + one.cache - leastPictures),
  );
  const share = (value: number) => (longest > 0 ? value / longest : 0);
  return candidates.map((one) => ({
    label: one.label,
    name: share(one.zero_shot - leastName),
    pictures: share(one.cache - leastPictures),
  }));
}

/** Which of both speaks the more for the best candidate against the second; null: neither does. */
export function decisive(candidates: readonly Ranked[]): "name" | "pictures" | "both" | null {
  const [first, second] = candidates;
  if (!first || !second) return null;
  const name = first.zero_shot - second.zero_shot;
  const pictures = first.cache - second.cache;
  if (name <= 0 && pictures <= 0) return null;
  if (pictures <= 0.2 * name) return "name";
  if (name <= 0.2 * pictures) return "pictures";
  return "both";
}
