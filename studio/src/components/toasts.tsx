import { signal } from "@preact/signals";
import { asProblem } from "../api/problem";
import { texts } from "../texts/texts";

interface Toast {
  id: number;
  text: string;
  bad: boolean;
  action?: { label: string; run: () => void };
  topic?: string;
}

const toasts = signal<Toast[]>([]);
const SHOWN_MILLISECONDS = 8000;
let last = 0;

/** Tells the user something that is over soon; with one thing to do about it.
 *
 * @param topic - Of several messages on one topic only the last is shown.
 */
export function tell(text: string, action?: Toast["action"], topic?: string): void {
  show({ id: ++last, text, bad: false, action, topic });
}

/** Tells that something did not work; what a problem document says is for users as it is. */
export function tellFailure(error: unknown): void {
  if (error instanceof DOMException && error.name === "AbortError") return;
  show({ id: ++last, text: failureText(error), bad: true });
}

export function failureText(error: unknown): string {
  const problem = asProblem(error);
  if (problem.status === 0) return texts.app.unreachable;
  if (problem.status === -1) return texts.app.defect(problem.message);
  return problem.message;
}

function show(toast: Toast): void {
  const others = toasts.value.filter((one) => !toast.topic || one.topic !== toast.topic);
  toasts.value = [...others.slice(-3), toast];
  setTimeout(() => dismiss(toast.id), toast.bad ? 2 * SHOWN_MILLISECONDS : SHOWN_MILLISECONDS);
}

function dismiss(id: number): void {
  toasts.value = toasts.value.filter((one) => one.id !== id);
}

export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.value.map((one) => (
        <div class={one.bad ? "toast bad" : "toast"} key={one.id}>
          <span dir="auto">{one.text}</span>
          {one.action && (
            <button
              type="button"
              class="link"
              onClick={() => {
                dismiss(one.id);
                one.action?.run();
              }}
            >
              {one.action.label}
            </button>
          )}
          <button
            type="button"
            class="icon"
            aria-label={texts.app.close}
            onClick={() => dismiss(one.id)}
          >
            ×
          </button>
        </div>
      ))}
    </div>
  );
}
