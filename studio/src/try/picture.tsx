import { useEffect, useState } from "preact/hooks";
import { failureText } from "../components/toasts";
import { texts } from "../texts/texts";
import { mayPass } from "./live";
import { ask, type Trial } from "./trials";

/** Picture that is tried, from this machine, so that it is there before anything was sent. */
export function Picture({ trial }: { trial: Trial }) {
  const [shown, setShown] = useState(true);
  useEffect(() => setShown(true), [trial.id]);
  const onItsWay = trial.answer === null && trial.problem === null;
  return (
    <figure class="trial-picture">
      <div class="trial-frame">
        {shown ? (
          <img src={trial.url} alt={trial.name} decoding="async" onError={() => setShown(false)} />
        ) : (
          !trial.problem && <p class="quiet">{texts.try.notShown}</p>
        )}
        {onItsWay && (
          <progress
            value={trial.sent < 1 ? trial.sent : undefined}
            max={1}
            aria-label={texts.try.sending}
          />
        )}
        {trial.problem && (
          <p class="refusal" role="alert" dir="auto">
            {failureText(trial.problem)}{" "}
            {(mayPass(trial.problem) || trial.problem.status === 401) && (
              <button type="button" class="link" onClick={() => ask(trial.id)}>
                {texts.try.again}
              </button>
            )}
          </p>
        )}
      </div>
      <figcaption class="quiet small">
        <bdi>{trial.name}</bdi>
      </figcaption>
    </figure>
  );
}
