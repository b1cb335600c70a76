import { useState } from "preact/hooks";
import { api } from "../api/client";
import { Alert } from "../components/alert";
import { failureText } from "../components/toasts";
import { goTo } from "../router";
import { texts } from "../texts/texts";

/** Another name for the classifier, or a copy of it under another name. */
export function Names({ name }: { name: string }) {
  const params = { path: { name } };
  return (
    <section>
      <h2>{texts.use.rename}</h2>
      <ToName
        label={texts.use.newName}
        submit={texts.use.renameSubmit}
        initial={name}
        apply={(to) => api.POST("/v1/classifiers/{name}/rename", { params, body: { to } })}
      />
      <h2>{texts.use.copy}</h2>
      <ToName
        label={texts.use.nameOfCopy}
        submit={texts.use.copySubmit}
        initial={`${name}-copy`.slice(0, 64)}
        apply={(to) => api.POST("/v1/classifiers/{name}/copy", { params, body: { to } })}
      />
    </section>
  );
}

interface Props {
  label: string;
  submit: string;
  initial: string;
  apply: (to: string) => Promise<unknown>;
}

function ToName({ label, submit, initial, apply }: Props) {
  const [problem, setProblem] = useState<string | null>(null);
  const [to, setTo] = useState(initial);
  const onSubmit = async (event: Event) => {
    event.preventDefault();
    setProblem(null);
    try {
      await apply(to);
      goTo({ page: "classifier", name: to, tab: "use" });
    } catch (error) {
      setProblem(failureText(error));
    }
  };
  return (
    <form class="row" onSubmit={onSubmit}>
      <label>
        {label}
        <input
          required
          maxLength={64}
          pattern="[A-Za-z0-9][A-Za-z0-9._\-]*"
          title={texts.classifiers.nameRule}
          autocomplete="off"
          spellcheck={false}
          value={to}
          onInput={(event) => setTo(event.currentTarget.value)}
        />
      </label>
      <button type="submit">{submit}</button>
      {problem && <Alert>{problem}</Alert>}
    </form>
  );
}
