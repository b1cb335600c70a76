import { useState } from "preact/hooks";
import { texts } from "../texts/texts";
import type { Report } from "./report";

const BARS_FIRST = 16;

/** Key figures of a report. */
export function Figures({ report }: { report: Report }) {
  const said = texts.understand;
  return (
    <div class="figures">
      <div>
        <b>{report.accuracy === null ? "–" : texts.app.percent(report.accuracy)}</b>
        {said.accuracyFigure}
      </div>
      <div>
        <b>{report.n_images}</b>
        {said.imagesFigure(report.n_images, report.n_classes, report.n_negatives)}
      </div>
      <button type="button" onClick={() => goTo("suspects")}>
        <b>{report.n_suspects}</b>
        {said.suspectsFigure(report.n_suspects)}
      </button>
      <button type="button" onClick={() => goTo("copies")}>
        <b>{report.n_redundant}</b>
        {said.copiesFigure(report.n_redundant)}
      </button>
    </div>
  );
}

function goTo(id: string): void {
  const part = document.getElementById(id);
  part?.scrollIntoView({ block: "start" });
  part?.focus({ preventScroll: true });
}

/** Accuracy of each class, the weakest first. */
export function AccuracySection({ report }: { report: Report }) {
  const said = texts.understand;
  const [most, setMost] = useState(BARS_FIRST);
  const judged = report.classes
    .flatMap((one) => (one.accuracy === null ? [] : [{ ...one, accuracy: one.accuracy }]))
    .sort((a, b) => a.accuracy - b.accuracy || b.n_votes - a.n_votes);
  const singles = report.classes.filter((one) => one.n_images === 1);
  const named = report.classes.filter((one) => one.n_images === 0);
  return (
    <section id="accuracy">
      <h2>{said.accuracy}</h2>
      <p class={judged.length > 0 ? "quiet" : ""}>
        {judged.length > 0 ? said.accuracyHow : said.accuracyUnknown}
      </p>
      <ul class="plain bars">
        {judged.slice(0, most).map((one) => (
          <li class="bar-row" key={one.label}>
            <span>
              <bdi>{one.label}</bdi>
            </span>
            <span class="bar" aria-hidden="true">
              <i style={{ width: `${100 * one.accuracy}%` }} />
            </span>
            <span class="count">
              {said.ofVotes(Math.round(one.accuracy * one.n_votes), one.n_votes)}
            </span>
            <span class="with">
              {one.confused_with !== null && (
                <>
                  {said.takenFor} <bdi>{one.confused_with}</bdi>
                </>
              )}
            </span>
          </li>
        ))}
      </ul>
      {judged.length > most && (
        <button type="button" onClick={() => setMost(most + 8 * BARS_FIRST)}>
          {said.showMore(judged.length - most)}
        </button>
      )}
      {judged.length > 0 && singles.length > 0 && (
        <Labels said={said.singles} labels={singles.map((one) => one.label)} />
      )}
      {named.length > 0 && <Labels said={said.byName} labels={named.map((one) => one.label)} />}
    </section>
  );
}

function Labels({ said, labels }: { said: string; labels: string[] }) {
  const shown = labels.slice(0, 40);
  return (
    <p class="quiet">
      {said}{" "}
      {shown.map((label, at) => (
        <span key={label}>
          <bdi>{label}</bdi>
          {at < shown.length - 1 ? ", " : ""}
        </span>
      ))}
      {labels.length > shown.length && ` ${texts.understand.andMore(labels.length - shown.length)}`}
    </p>
  );
}
