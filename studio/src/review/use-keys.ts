import type { RefObject } from "preact";
import { useLayoutEffect } from "preact/hooks";
import { type Command, commandOf } from "./keys";

/** Runs the commands of keys that are pressed in an element, or where nothing has the focus.
 *
 * The `run` of the last drawing is called: an earlier one would not know what the key before has
 * changed, when keys are pressed quickly.
 */
export function useKeys(
  element: RefObject<HTMLElement | null>,
  isListening: boolean,
  run: (command: Command) => void,
): void {
  useLayoutEffect(() => {
    if (!isListening) return;
    const onKeyDown = (event: KeyboardEvent) => {
      const at = event.target as HTMLElement;
      if (at !== document.body && !element.current?.contains(at)) return;
      // A button that has the focus is pressed by these.
      if (at.closest("button") && (event.key === "Enter" || event.key === " ")) return;
      const command = commandOf(event);
      if (command === null) return;
      event.preventDefault();
      run(command);
    };
    document.addEventListener("keydown", onKeyDown);
    return () => document.removeEventListener("keydown", onKeyDown);
  });
}
