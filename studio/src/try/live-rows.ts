type Row = { label: string; probability: number };

/** Rows that live answers are shown in.
 *
 * Few classes stand in the order of the classifier, so that nothing moves but the bars; of many, the
 * most probable are shown.
 */
export function rowsOf(labels: readonly string[], top: readonly Row[], most: number): Row[] {
  if (labels.length > most) return top.slice(0, most);
  const probability = new Map(top.map((one) => [one.label, one.probability]));
  return labels.map((label) => ({ label, probability: probability.get(label) ?? 0 }));
}
