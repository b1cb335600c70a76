import { useEffect, useState } from "preact/hooks";
import { texts } from "../texts/texts";

interface Props {
  text: string;
  /** What is copied, for those who do not see beside what the button is. */
  label: string;
  /** Where the text is shown: it is marked where the browser gives no clipboard. */
  source: { current: HTMLElement | null };
}

/** Copies a text and says so. */
export function CopyButton({ text, label, source }: Props) {
  const [state, setState] = useState<"ready" | "copied" | "marked">("ready");
  useEffect(() => {
    if (state === "ready") return;
    const timer = setTimeout(() => setState("ready"), 3000);
    return () => clearTimeout(timer);
  }, [state]);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setState("copied");
    } catch {
      // Pages that come without encryption have no clipboard: one key is left to press.
      if (source.current) getSelection()?.selectAllChildren(source.current);
      setState("marked");
    }
  };
  return (
    <>
      <button
        type="button"
        class="copy-button"
        aria-label={`${texts.app.copy}: ${label}`}
        onClick={copy}
      >
        {state === "ready" ? texts.app.copy : texts.app[state]}
      </button>
      <span class="hidden" role="status">
        {state === "ready" ? "" : texts.app[state]}
      </span>
    </>
  );
}
