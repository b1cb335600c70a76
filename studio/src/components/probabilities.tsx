import { texts } from "../texts/texts";
import { Bar } from "./bar";

interface Props {
  candidates: readonly { label: string; probability: number }[];
  /** Classes of the prediction set, where the classifier tells one. */
  among?: readonly string[] | null;
}

/** Candidates with their probabilities, the most probable first. */
export function Probabilities({ candidates, among }: Props) {
  return (
    <ol class="probabilities plain">
      {candidates.map(({ label, probability }) => (
        <li key={label} class={among?.includes(label) ? "among" : undefined}>
          <span class="bar-of">
            <bdi>{label}</bdi>
          </span>
          <Bar parts={[{ share: probability }]} />
          <span class="bar-share">{texts.app.percent(probability)}</span>
        </li>
      ))}
    </ol>
  );
}
