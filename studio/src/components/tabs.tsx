import "./tabs.css";
import type { ComponentChildren } from "preact";
import { useId, useRef, useState } from "preact/hooks";

interface Props<Name extends string> {
  label: string;
  names: readonly Name[];
  titles: Record<Name, string>;
  children: (name: Name) => ComponentChildren;
}

/** Tabs of one place (WAI-ARIA APG: arrow keys move, and what they reach is shown). */
export function Tabs<Name extends string>({ label, names, titles, children }: Props<Name>) {
  const [chosen, setChosen] = useState(names[0] as Name);
  const list = useRef<HTMLDivElement>(null);
  const id = useId();
  const show = (at: number) => {
    const next = (at + names.length) % names.length;
    setChosen(names[next] as Name);
    (list.current?.children[next] as HTMLElement | undefined)?.focus();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const at = names.indexOf(chosen);
    const backwards = document.dir === "rtl" ? "ArrowRight" : "ArrowLeft";
    if (event.key === "Home") show(0);
    else if (event.key === "End") show(names.length - 1);
    else if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
      show(event.key === backwards ? at - 1 : at + 1);
    } else return;
    event.preventDefault();
  };
  return (
    <>
      <div class="tab-list" role="tablist" aria-label={label} ref={list} onKeyDown={onKeyDown}>
        {names.map((name) => (
          <button
            type="button"
            role="tab"
            key={name}
            id={`${id}-${name}`}
            aria-selected={name === chosen}
            aria-controls={`${id}-panel`}
            tabIndex={name === chosen ? 0 : -1}
            onClick={() => setChosen(name)}
          >
            {titles[name]}
          </button>
        ))}
      </div>
      <div role="tabpanel" id={`${id}-panel`} aria-labelledby={`${id}-${chosen}`}>
        {children(chosen)}
      </div>
    </>
  );
}
