import { useEffect, useId, useRef, useState } from "preact/hooks";
import { classes, NEGATIVES } from "../classifier/classifier";
import { Alert } from "../components/alert";
import { failureText } from "../components/toasts";
import { texts } from "../texts/texts";
import { correct } from "./corrections";
import { offered } from "./offered";
import type { TakenFor, Trial, Correction as Was } from "./trials";

/** What to do with an answer: add the picture as an example of what it is. */
export function Correction({ name, trial }: { name: string; trial: Trial }) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const [registered, setRegistered] = useState(false);
  const [typed, setTyped] = useState("");
  const list = useId();
  const answer = trial.answer;
  if (!answer) return null;
  if (trial.correction) return <Done correction={trial.correction} isNew={registered} />;
  const register = async (label: string) => {
    setBusy(true);
    setRegistered(true);
    setProblem(null);
    try {
      await correct(name, trial, label);
    } catch (error) {
      setProblem(failureText(error));
    }
    setBusy(false);
  };
  const labels = classes.value.map((one) => one.label);
  return (
    <section class="correction" aria-busy={busy}>
      <h3>{texts.try.isItRight}</h3>
      <div class="buttons">
        <button type="button" class="right" disabled={busy} onClick={() => register(answer.label)}>
          <span>
            {texts.try.right} <bdi>{answer.label}</bdi>
          </span>
        </button>
      </div>
      <h3>{texts.try.wrong}</h3>
      <div class="buttons">
        {answer.top_k.slice(1, 6).map(({ label }) => (
          <button type="button" key={label} disabled={busy} onClick={() => register(label)}>
            <bdi>{label}</bdi>
          </button>
        ))}
        <button type="button" disabled={busy} onClick={() => register(NEGATIVES)}>
          {texts.try.negative}
        </button>
      </div>
      <form
        class="row"
        onSubmit={(event) => {
          event.preventDefault();
          const label = typed.trim();
          if (label) void register(label);
        }}
      >
        <label>
          {texts.try.another}
          <input
            list={list}
            value={typed}
            maxLength={255}
            dir="auto"
            autocomplete="off"
            onInput={(event) => setTyped(event.currentTarget.value)}
          />
        </label>
        <datalist id={list}>
          {offered(labels, typed).map((label) => (
            <option key={label} value={label} />
          ))}
        </datalist>
        <button type="submit" disabled={busy || typed.trim() === ""}>
          {texts.try.add}
        </button>
        {problem && <Alert>{problem}</Alert>}
      </form>
    </section>
  );
}

/** What has become of it; where it has just taken the place of the buttons, it takes their focus. */
function Done({ correction, isNew }: { correction: Was; isNew: boolean }) {
  const { label, wasOne, before, after } = correction;
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (isNew) heading.current?.focus();
  }, []);
  return (
    <section class="correction" role="status">
      <h3 ref={heading} tabIndex={-1}>
        {doneText(label, wasOne)}
      </h3>
      <dl class="before-after">
        <dt>{texts.try.before}</dt>
        <dd>
          <Taken was={before} />
        </dd>
        <dt>{texts.try.after}</dt>
        <dd>
          <Taken was={after} />
        </dd>
      </dl>
    </section>
  );
}

function Taken({ was }: { was: TakenFor | null }) {
  if (was === null) return <span class="quiet">{texts.try.nothing}</span>;
  return (
    <>
      <bdi>{was.label}</bdi> {texts.app.percent(was.probability)}
      {!was.known && <span class="unknown-mark">{texts.app.unknown}</span>}
    </>
  );
}

function doneText(label: string, wasOne: boolean): string {
  if (label === NEGATIVES) return wasOne ? texts.try.wasNegative : texts.try.isNegative;
  return wasOne ? texts.try.wasExample(label) : texts.try.isExample(label);
}
