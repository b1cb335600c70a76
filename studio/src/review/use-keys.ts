import type { RefObject } from "preact";
import { useLayoutEffect } from "preact/hooks";
import { type Command, commandOf } from "./keys";

/** Runs the commands of keys that are pressed in an element, or where nothing has the focus but the
 * tab that led here.
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
      const isElsewhere = at !== document.body && !at.closest(".tabs");
      if (isElsewhere && !element.current?.contains(at)) return;
      // A button that has the focus is pressed by these, and a link followed.
      if (at.closest("button, a") && (event.key === "Enter" || event.key === " ")) return;
      const command = commandOf(event);
      if (command === null) return;
      event.preventDefault();
      run(command);
    };
    document.addEventListener("keydown", onKeyDown);
    return () => document.removeEventListener("keydown", onKeyDown);
  });
}
