import { useState } from "preact/hooks";
import { api, body } from "../api/client";
import { type Classifier, classifier, look } from "../classifier/classifier";
import { tellFailure } from "../components/toasts";
import { allows } from "../session/session";
import { texts } from "../texts/texts";

export type Remembers = Classifier["remember"];

const CHOICES: Remembers[] = ["uncertain", "unknown", "all", "none"];

/** Sets which queries a classifier remembers. The service replaces all settings: the others are sent
 * as they are, and nothing is changed if somebody has changed them in between. */
export async function remember(name: string, what: Remembers): Promise<void> {
  const path = { params: { path: { name } }, cache: "no-store" as const };
  const answer = await api.GET("/v1/classifiers/{name}", path);
  const now = body(answer);
  const etag = answer.response.headers.get("etag");
  await api.PUT("/v1/classifiers/{name}", {
    params: { path: { name }, ...(etag && { header: { "if-match": etag } }) },
    body: settingsOf(now, what),
  });
  await look();
}

export function settingsOf(now: Classifier, what: Remembers) {
  return {
    method: now.method as "auto",
    templates: now.templates,
    names_carry_meaning: now.names_carry_meaning,
    false_rejection_rate: now.false_rejection_rate,
    support_views: now.support_views,
    remember_most: now.remember_most,
    remember_days: now.remember_days,
    coverage: now.coverage,
    remember: what,
  };
}

/** Choice of what is remembered from now on. */
export function RememberChoice({ name }: { name: string }) {
  const said = texts.review;
  const [isBusy, setBusy] = useState(false);
  const now = classifier.value?.remember ?? "none";
  const [draft, setDraft] = useState<Remembers | null>(null);
  const wanted = draft ?? now;
  const set = async () => {
    setBusy(true);
    await remember(name, wanted).catch(tellFailure);
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
