import { Bar } from "../components/bar";
import { texts } from "../texts/texts";
import { contributions, decisive } from "./contributions";
import type { Prediction } from "./predicting";

/** What the name and the pictures of each candidate speak for it. */
export function Reasons({ candidates }: { candidates: Prediction["top_k"] }) {
  const [first, second] = candidates;
  if (!first || !second) return null;
  const by = decisive(candidates);
  return (
    <section class="reasons">
      <h3>{texts.try.why}</h3>
      {by && <p class="small">{texts.try.decided[by](first.label, second.label)}</p>}
      <p class="reasons-legend quiet small">
        <span class="key-name" aria-hidden="true" /> {texts.try.byName}
        <span class="key-pictures" aria-hidden="true" /> {texts.try.byPictures}
      </p>
      <ol class="probabilities plain">
        {contributions(candidates).map(({ label, name, pictures }) => (
          <li key={label}>
            <span class="bar-of">
              <bdi>{label}</bdi>
            </span>
            <Bar parts={[{ share: name, other: true }, { share: pictures }]} />
            <span class="hidden">{texts.try.parts(name, pictures)}</span>
          </li>
        ))}
      </ol>
      <p class="quiet small">{texts.try.partsExplained}</p>
    </section>
  );
}
