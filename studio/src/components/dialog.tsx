import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
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
  const id = useId();
  useEffect(() => {
    const dialog = element.current;
    dialog?.showModal();
    return () => dialog?.close();
  }, []);
  return (
    <dialog
      ref={element}
      class={wide ? "wide" : undefined}
      aria-labelledby={id}
      onCancel={onClose}
      onClose={onClose}
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
