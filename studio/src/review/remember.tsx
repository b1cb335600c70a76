import { useState } from "preact/hooks";
import { type Classifier, classifier } from "../classifier/classifier";
import { changeSettings } from "../classifier/settings";
import { tellFailure } from "../components/toasts";
import { allows } from "../session/session";
import { texts } from "../texts/texts";

export type Remembers = Classifier["remember"];

const CHOICES: Remembers[] = ["uncertain", "unknown", "all", "none"];

/** Choice of what is remembered from now on. */
export function RememberChoice({ name }: { name: string }) {
  const said = texts.review;
  const [isBusy, setBusy] = useState(false);
  const now = classifier.value?.remember ?? "none";
  const [draft, setDraft] = useState<Remembers | null>(null);
  const wanted = draft ?? now;
  const set = async () => {
    setBusy(true);
    await changeSettings(name, { remember: wanted }).catch(tellFailure);
    setBusy(false);
    setDraft(null);
  };
  return (
    <fieldset class="remember" disabled={!allows("write")}>
      <legend>{said.remember}</legend>
      {CHOICES.map((one) => (
        <label key={one}>
          <input
            type="radio"
            name="remember"
            value={one}
            checked={one === wanted}
            onChange={() => setDraft(one)}
          />
          <span>
            <b>{said.choice[one].name}</b>
            <br />
            <span class="quiet small">{said.choice[one].what}</span>
          </span>
        </label>
      ))}
      {wanted !== now && (
        <div>
          <button type="button" class="primary" disabled={isBusy} onClick={set}>
            {said.rememberThese}
          </button>
        </div>
      )}
    </fieldset>
  );
}
