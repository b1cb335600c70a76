import { useId, useState } from "preact/hooks";
import { Dialog } from "../components/dialog";
import { texts } from "../texts/texts";

const MOST_FOUND = 50;

interface Props {
  labels: string[];
  onChoose: (label: string) => void;
  onClose: () => void;
}

/** Classes that hold what is typed, those that begin with it first. */
export function found(labels: readonly string[], typed: string): string[] {
  const wanted = typed.trim().toLocaleLowerCase();
  const holding = labels.filter((one) => one.toLocaleLowerCase().includes(wanted));
  const begins = (one: string) => one.toLocaleLowerCase().startsWith(wanted);
  return [...holding.filter(begins), ...holding.filter((one) => !begins(one))].slice(0, MOST_FOUND);
}

/** Search for a class by its name: type, arrows choose, Enter takes it. */
export function ClassSearch({ labels, onChoose, onClose }: Props) {
  const id = useId();
  const [typed, setTyped] = useState("");
  const [at, setAt] = useState(0);
  const shown = found(labels, typed);
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined) {
      event.preventDefault();
      setAt(Math.min(Math.max(at + step, 0), shown.length - 1));
      document.getElementById(`${id}-${at + step}`)?.scrollIntoView({ block: "nearest" });
    }
    const label = shown[at];
    if (event.key === "Enter" && label !== undefined) {
      event.preventDefault();
      onChoose(label);
    }
  };
  return (
    <Dialog title={texts.review.search} onClose={onClose}>
      <input
        class="find"
        autofocus
        role="combobox"
        aria-label={texts.review.search}
        aria-expanded="true"
        aria-controls={id}
        aria-autocomplete="list"
        aria-activedescendant={shown.length > 0 ? `${id}-${at}` : undefined}
        value={typed}
        autocomplete="off"
        onKeyDown={onKeyDown}
        onInput={(event) => {
          setTyped(event.currentTarget.value);
          setAt(0);
        }}
      />
      <div class="classes-found" id={id} role="listbox" aria-label={texts.review.classes}>
        {shown.map((label, index) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the field has the keys.
          // biome-ignore lint/a11y/useFocusableInteractive: the field has the focus and names this as active.
          <div
            key={label}
            id={`${id}-${index}`}
            role="option"
            aria-selected={index === at}
            onClick={() => onChoose(label)}
          >
            <bdi>{label}</bdi>
          </div>
        ))}
      </div>
      {shown.length === 0 && <p class="quiet">{texts.review.noneFound}</p>}
    </Dialog>
  );
}
