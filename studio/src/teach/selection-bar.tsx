import { useState } from "preact/hooks";
import { tellFailure } from "../components/toasts";
import { texts } from "../texts/texts";
import { move, remove } from "./changes";
import { ChooseClass } from "./choose-class";
import { openPicture } from "./opened";
import type { Teaching } from "./teaching";

/** What can be done with the pictures that are selected. */
export function SelectionBar({ teaching, mayChange }: { teaching: Teaching; mayChange: boolean }) {
  const chosen = teaching.selection.chosen.value;
  const [moving, setMoving] = useState(false);
  const said = texts.teach.selection;
  const only = chosen.size === 1 ? [...chosen][0] : undefined;
  const first = [...chosen.values()][0];
  /** The button that was pressed goes, so the focus is given back to the pictures. */
  const ended = () => {
    if (first !== undefined) gridOf(first)?.focus();
  };
  return (
    <>
      <div class={chosen.size > 0 ? "selection-bar" : "hidden"}>
        <b role="status">{chosen.size > 0 && said.count(chosen.size)}</b>
        {only && (
          <button type="button" onClick={() => openPicture(only[1], only[0])}>
            {said.open}
          </button>
        )}
        {chosen.size > 0 && mayChange && (
          <>
            <button type="button" onClick={() => setMoving(true)}>
              {said.move}
            </button>
            <button
              type="button"
              class="danger"
              onClick={() => {
                ended();
                remove(teaching, chosen).catch(tellFailure);
              }}
            >
              {said.remove}
            </button>
          </>
        )}
        {chosen.size > 0 && (
          <button
            type="button"
            onClick={() => {
              ended();
              teaching.selection.clear();
            }}
          >
            {said.clear}
          </button>
        )}
      </div>
      {moving && (
        <ChooseClass
          title={said.moveTitle(chosen.size)}
          except={new Set(chosen.values()).size === 1 ? first : undefined}
          onClose={() => setMoving(false)}
          onChoose={(label) => {
            setMoving(false);
            // After the dialog, which gives the focus back to the button.
            setTimeout(ended);
            move(teaching, chosen, label).catch(tellFailure);
          }}
        />
      )}
    </>
  );
}

function gridOf(label: string): HTMLElement | null {
  const card = document.querySelector(`[data-label="${CSS.escape(label)}"]`);
  return card?.querySelector<HTMLElement>("[role=grid]") ?? null;
}
