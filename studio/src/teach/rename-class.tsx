import { useEffect, useRef } from "preact/hooks";
import { tellFailure } from "../components/toasts";
import { texts } from "../texts/texts";
import { renameClass } from "./changes";
import type { Teaching } from "./teaching";

/** Form in place of a class's name. */
export function RenameClass(props: { teaching: Teaching; label: string; onEnd: () => void }) {
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    input.current?.focus();
    input.current?.select();
  }, []);
  const submit = (event: Event) => {
    event.preventDefault();
    const to = input.current?.value.trim();
    props.onEnd();
    if (to && to !== props.label) renameClass(props.teaching, props.label, to).catch(tellFailure);
  };
  return (
    <form class="rename" onSubmit={submit}>
      <input
        ref={input}
        aria-label={texts.teach.renameTo}
        defaultValue={props.label}
        required
        maxLength={255}
        dir="auto"
        autocomplete="off"
        onKeyDown={(event) => event.key === "Escape" && props.onEnd()}
      />
      <button type="submit">{texts.teach.save}</button>
    </form>
  );
}
