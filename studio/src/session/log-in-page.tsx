import { useState } from "preact/hooks";
import { Alert } from "../components/alert";
import { failureText } from "../components/toasts";
import { texts } from "../texts/texts";
import { logIn, session } from "./session";

/** Page of those who are not signed in: by a key, or where a proxy says who they are, not here. */
export function LogInPage() {
  if (session.value?.authentication !== "proxy") return <KeyForm />;
  return (
    <section class="narrow">
      <h1>{texts.logIn.title}</h1>
      <p>{texts.logIn.proxy}</p>
      <button type="button" class="primary" onClick={() => window.location.reload()}>
        {texts.logIn.again}
      </button>
    </section>
  );
}

function KeyForm() {
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const submit = async (event: Event) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    setBusy(true);
    setProblem(null);
    try {
      await logIn(String(new FormData(form).get("key")).trim());
    } catch (error) {
      setProblem(failureText(error));
      setBusy(false);
    }
  };
  return (
    <section class="narrow">
      <h1>{texts.logIn.title}</h1>
      <p class="quiet">{texts.logIn.how}</p>
      <form onSubmit={submit}>
        <label>
          {texts.logIn.key}
          <input
            name="key"
            type="password"
            required
            autocomplete="current-password"
            spellcheck={false}
          />
        </label>
        {problem && <Alert>{problem}</Alert>}
        <button type="submit" class="primary" disabled={busy}>
          {texts.logIn.submit}
        </button>
      </form>
      <p class="quiet">{texts.logIn.kept}</p>
    </section>
  );
}
