import { useState } from "preact/hooks";
import { tellFailure } from "../components/toasts";
import { texts } from "../texts/texts";
import { ChooseClass } from "./choose-class";
import { openPicture } from "./opened";
import type { Teaching } from "./teaching";

/** What can be done with the pictures that are selected. */
export function SelectionBar({ teaching, mayChange }: { teaching: Teaching; mayChange: boolean }) {
  const chosen = teaching.selection.chosen.value;
  const [moving, setMoving] = useState(false);
  const said = texts.teach.selection;
  const only = chosen.size === 1 ? [...chosen][0] : undefined;
  return (
    <>
      <div role="status" class={chosen.size > 0 ? "selection-bar" : "hidden"}>
        {chosen.size > 0 && (
          <>
            <b>{said.count(chosen.size)}</b>
            {only && (
              <button type="button" onClick={() => openPicture(only[1], only[0])}>
                {said.open}
              </button>
            )}
            {mayChange && (
              <>
                <button type="button" onClick={() => setMoving(true)}>
                  {said.move}
                </button>
                <button
                  type="button"
                  class="danger"
                  onClick={() => teaching.remove(chosen).catch(tellFailure)}
                >
                  {said.remove}
                </button>
              </>
            )}
            <button type="button" onClick={() => teaching.selection.clear()}>
              {said.clear}
            </button>
          </>
        )}
      </div>
      {moving && (
        <ChooseClass
          title={said.moveTitle(chosen.size)}
          onClose={() => setMoving(false)}
          onChoose={(label) => {
            setMoving(false);
            teaching.move(chosen, label).catch(tellFailure);
          }}
        />
      )}
    </>
  );
}
