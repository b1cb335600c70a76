import type { ComponentChildren } from "preact";

/** What went wrong, where it did; read out at once. */
export function Alert({ children }: { children: ComponentChildren }) {
  return (
    <p class="notice bad" role="alert" dir="auto">
      {children}
    </p>
  );
}
