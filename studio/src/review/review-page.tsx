import { useEffect } from "preact/hooks";
import { classes, classifier, NEGATIVES } from "../classifier/classifier";
import { Alert } from "../components/alert";
import { failureText } from "../components/toasts";
import { texts } from "../texts/texts";
import { AccuracyChart } from "./accuracy-chart";
import { choose, filter, followInbox, inboxFailure, listed } from "./inbox";
import { Inbox } from "./inbox-panel";
import { RememberChoice } from "./remember";
import "./review.css";

/** Page of the remembered predictions that wait for somebody to judge them. */
export function ReviewPage({ name }: { name: string }) {
  useEffect(() => followInbox(name), [name]);
  const said = texts.review;
  const shown = listed.value;
  const remembers = (classifier.value?.remember ?? "none") !== "none";
  const isFiltered = filter.value.label !== null || filter.value.known !== null;
  return (
    <>
      <h2 class="hidden">{said.title}</h2>
      {inboxFailure.value && <Alert>{failureText(inboxFailure.value)}</Alert>}
      {shown === null && !inboxFailure.value && <p class="quiet">{texts.app.loading}</p>}
      {shown && (shown.items.length > 0 || isFiltered) && (
        <section>
          <Filters />
          {shown.items.length > 0 ? (
            <Inbox name={name} items={shown.items} hasMore={shown.cursor !== null} />
          ) : (
            <p class="quiet" role="status">
              {said.noneLikeThis}
            </p>
          )}
        </section>
      )}
      {shown && shown.items.length === 0 && !isFiltered && (
        <section>
          <h2>{remembers ? said.nothing : said.remembersNothing}</h2>
          <p role="status">{remembers ? said.nothingHow : said.remembersNothingHow}</p>
          {!remembers && <RememberChoice name={name} />}
        </section>
      )}
      <AccuracyChart name={name} />
      {(remembers || (shown && shown.items.length > 0)) && (
        <section>
          <RememberChoice name={name} />
        </section>
      )}
    </>
  );
}

function Filters() {
  const said = texts.review;
  const now = filter.value;
  const known = now.known === null ? "" : String(now.known);
  return (
    <div class="row filters">
      <label>
        {said.answeredAs}
        <select
          value={now.label ?? ""}
          onChange={(event) => choose({ ...now, label: event.currentTarget.value || null })}
        >
          <option value="">{said.anyClass}</option>
          {classes.value
            .filter((one) => one.label !== NEGATIVES)
            .map((one) => (
              <option key={one.label} value={one.label}>
                {one.label}
              </option>
            ))}
        </select>
      </label>
      <label>
        {said.knownOrNot}
        <select
          value={known}
          onChange={(event) => {
            const chosen = event.currentTarget.value;
            choose({ ...now, known: chosen === "" ? null : chosen === "true" });
          }}
        >
          <option value="">{said.either}</option>
          <option value="true">{said.known}</option>
          <option value="false">{texts.app.unknown}</option>
        </select>
      </label>
    </div>
  );
}
