import { useEffect, useRef, useState } from "preact/hooks";
import { texts } from "../texts/texts";
import { choose, chosen, step, type Trial, trials } from "./trials";

/** All pictures that were tried, to step through. */
export function Strip() {
  const current = useRef<HTMLButtonElement>(null);
  const shown = chosen.value;
  useEffect(
    () => current.current?.scrollIntoView({ block: "nearest", inline: "nearest" }),
    [shown?.id],
  );
  if (trials.value.length < 2) return null;
  const onKeyDown = (event: KeyboardEvent) => {
    const forwards = document.dir === "rtl" ? "ArrowLeft" : "ArrowRight";
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    event.preventDefault();
    step(event.key === forwards ? 1 : -1);
    requestAnimationFrame(() => current.current?.focus());
  };
  return (
    <nav aria-label={texts.try.strip} onKeyDown={onKeyDown}>
      <ul class="tried plain">
        {trials.value.map((one) => {
          const isShown = one.id === shown?.id;
          return (
            <li key={one.id}>
              <button
                type="button"
                ref={isShown ? current : undefined}
                tabIndex={isShown ? 0 : -1}
                aria-current={isShown ? "true" : undefined}
                onClick={() => choose(one.id)}
              >
                <Small key={one.url} trial={one} />
                <bdi class="small">{captionOf(one)}</bdi>
              </button>
            </li>
          );
        })}
      </ul>
    </nav>
  );
}

function Small({ trial }: { trial: Trial }) {
  const [shown, setShown] = useState(true);
  if (!shown) return <span class="no-picture" role="img" aria-label={trial.name} />;
  return (
    <img
      src={trial.url}
      alt={trial.name}
      width={72}
      height={72}
      decoding="async"
      onError={() => setShown(false)}
    />
  );
}

function captionOf({ answer, problem }: Trial): string {
  if (problem) return texts.try.refused;
  if (!answer) return "…";
  return answer.known ? answer.label : `${answer.label}?`;
}
