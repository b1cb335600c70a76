import { useState } from "preact/hooks";
import { classifier } from "../classifier/classifier";
import { type Settings as Changed, changeSettings } from "../classifier/settings";
import { Alert } from "../components/alert";
import { failureText, tell } from "../components/toasts";
import { texts } from "../texts/texts";
import { templatesOf } from "./templates";

const REMEMBER = ["none", "unknown", "uncertain", "all"] as const;

/** Settings that people change here; the others stay as they are. */
export function Settings({ name }: { name: string }) {
  const [change, setChange] = useState<Partial<Changed>>({});
  const [typed, setTyped] = useState<string | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const now = classifier.value;
  if (!now) return null;
  const shown = { ...now, ...change };
  const save = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      const templates = typed === null ? {} : { templates: templatesOf(typed) };
      await changeSettings(name, { ...change, ...templates });
      setChange({});
      setTyped(null);
      tell(texts.use.saved);
    } catch (error) {
      setProblem(failureText(error));
    }
    setBusy(false);
  };
  const changed = Object.keys(change).length > 0 || typed !== null;
  return (
    <section>
      <h2>{texts.use.settings}</h2>
      <form onSubmit={save} aria-busy={busy}>
        <fieldset class="plain">
          <legend>{texts.use.remember.title}</legend>
          <p class="quiet small">{texts.use.remember.how}</p>
          {REMEMBER.map((one) => (
            <label class="choice" key={one}>
              <input
                type="radio"
                name="remember"
                checked={shown.remember === one}
                onChange={() => setChange({ ...change, remember: one })}
              />
              <span>{texts.use.remember[one]}</span>
            </label>
          ))}
        </fieldset>
        <fieldset class="plain">
          <legend>{texts.use.names.title}</legend>
          <label class="choice">
            <input
              type="checkbox"
              checked={shown.names_carry_meaning}
              disabled={shown.method === "zero-shot"}
              onChange={(event) =>
                setChange({ ...change, names_carry_meaning: event.currentTarget.checked })
              }
            />
            <span>{texts.use.names.carryMeaning}</span>
          </label>
          <label>
            {texts.use.names.templates}
            <textarea
              rows={3}
              dir="auto"
              value={typed ?? now.templates.join("\n")}
              disabled={!shown.names_carry_meaning}
              onInput={(event) => setTyped(event.currentTarget.value)}
            />
          </label>
          <p class="quiet small">{texts.use.names.templatesHow}</p>
        </fieldset>
        {problem && <Alert>{problem}</Alert>}
        <div>
          <button type="submit" class="primary" disabled={busy || !changed}>
            {texts.use.save}
          </button>
        </div>
      </form>
    </section>
  );
}
