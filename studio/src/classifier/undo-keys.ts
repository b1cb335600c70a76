import { useEffect } from "preact/hooks";
import { allows } from "../session/session";
import { redo, undo } from "./undo";

/** Keys that undo the last change of a classifier and make it again, wherever one works on it. */
export function useUndoKeys(name: string): void {
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      const target = event.target as Element;
      if (target.closest("input, textarea, select, dialog") || !allows("write")) return;
      const key = event.key.toLowerCase();
      if (!(event.ctrlKey || event.metaKey) || event.altKey || (key !== "z" && key !== "y")) return;
      event.preventDefault();
      const again = key === "y" || event.shiftKey;
      void (again ? redo(name) : undo(name));
    };
    document.addEventListener("keydown", onKeyDown);
    return () => document.removeEventListener("keydown", onKeyDown);
  }, [name]);
}
