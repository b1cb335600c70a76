import { useRef, useState } from "preact/hooks";
import { Alert } from "../components/alert";
import { failureText } from "../components/toasts";
import { texts } from "../texts/texts";
import { newClass } from "./changes";
import type { Teaching } from "./teaching";

/** Form of a class that is not there yet. */
export function NewClass({ teaching }: { teaching: Teaching }) {
  const input = useRef<HTMLInputElement>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const submit = async (event: Event) => {
    event.preventDefault();
    const label = input.current?.value.trim();
    if (!label || !input.current) return;
    setProblem(null);
    // At once: whoever types the next name meanwhile does not lose it.
    input.current.value = "";
    input.current.focus();
    try {
      await newClass(teaching, label);
    } catch (error) {
      setProblem(failureText(error));
      if (input.current?.value === "") input.current.value = label;
    }
  };
  return (
    <form class="row new-class" onSubmit={submit}>
      <input
        ref={input}
        aria-label={texts.teach.newClassName}
        placeholder={texts.teach.newClassName}
        required
        maxLength={255}
        dir="auto"
        autocomplete="off"
      />
      <button type="submit" class="primary">
        {texts.teach.newClassSubmit}
      </button>
      {problem && <Alert>{problem}</Alert>}
    </form>
  );
}
