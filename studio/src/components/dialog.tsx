import type { ComponentChildren } from "preact";
import { useId, useLayoutEffect, useRef } from "preact/hooks";
import { texts } from "../texts/texts";

interface Props {
  title: string;
  /** For what needs room, as pictures do. */
  wide?: boolean;
  onClose: () => void;
  children: ComponentChildren;
}

/** Modal dialog: the browser's own, which keeps the focus and gives it back. */
export function Dialog({ title, wide = false, onClose, children }: Props) {
  const element = useRef<HTMLDialogElement>(null);
  const isGone = useRef(false);
  const id = useId();
  useLayoutEffect(() => {
    const dialog = element.current;
    dialog?.showModal();
    return () => {
      // Its close event comes later: what is shown in its place by then is not to be closed, too.
      isGone.current = true;
      dialog?.close();
    };
  }, []);
  return (
    <dialog
      ref={element}
      class={wide ? "wide" : undefined}
      aria-labelledby={id}
      onClose={() => isGone.current || onClose()}
    >
      <div class="dialog-head">
        <h2 id={id}>{title}</h2>
        <button type="button" class="icon" aria-label={texts.app.close} onClick={onClose}>
          ×
        </button>
      </div>
      {children}
    </dialog>
  );
}
