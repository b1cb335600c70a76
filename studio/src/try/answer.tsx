import { Probabilities } from "../components/probabilities";
import { texts } from "../texts/texts";
import type { Prediction } from "./predicting";
import type { Trial } from "./trials";

/** What the classifier says of a picture. */
export function Answer({ trial }: { trial: Trial }) {
  const answer = trial.answer;
  if (!answer) {
    return trial.problem ? null : <p class="quiet answer-pending">{texts.try.asking}</p>;
  }
  return (
    <section class="answer">
      <div role="status">
        <Verdict answer={answer} />
      </div>
      <Probabilities
        candidates={answer.top_k}
        among={answer.known ? answer.prediction_set : null}
      />
      <p class="quiet small answered-in">{texts.try.answeredIn(trial.milliseconds)}</p>
    </section>
  );
}

/** The labels of a picture that may have several, or none. */
function Labels({ labels }: { labels: string[] }) {
  return labels.length === 0 ? (
    <h2 class="verdict quiet">{texts.try.noLabel}</h2>
  ) : (
    <h2 class="verdict verdict-labels">
      {labels.map((label) => (
        <bdi key={label}>{label}</bdi>
      ))}
    </h2>
  );
}

/** The answer in a line, and in words where it is not simply that. */
export function Verdict({ answer }: { answer: Prediction }) {
  const several = answer.prediction_set ?? [];
  if (answer.labels) return <Labels labels={answer.labels} />;
  return (
    <>
      <h2 class="verdict">
        <bdi>{answer.label}</bdi> <span class="quiet">{texts.app.percent(answer.probability)}</span>
        {!answer.known && <span class="unknown-mark">{texts.app.unknown}</span>}
      </h2>
      {!answer.known && <p class="small">{texts.try.unknown(answer.label)}</p>}
      {answer.known && several.length > 1 && <p class="small">{texts.try.several(several)}</p>}
      {answer.known && answer.prediction_set !== null && several.length === 0 && (
        <p class="small">{texts.try.noneOfThem}</p>
      )}
    </>
  );
}
