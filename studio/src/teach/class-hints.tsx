import { useState } from "preact/hooks";
import { texts } from "../texts/texts";
import { advice, adviceOf, kept } from "./advice";
import { CopiesDialog } from "./copies-dialog";
import { SuspectsDialog } from "./suspects-dialog";
import type { Teaching } from "./teaching";

interface Props {
  teaching: Teaching;
  label: string;
  mayChange: boolean;
}

/** What would make a class better, said where it can be done. */
export function ClassHints({ teaching, label, mayChange }: Props) {
  const [open, setOpen] = useState<"suspects" | "copies" | null>(null);
  const { need, ...said } = adviceOf(advice.value, label, kept.value);
  // The advice is of a moment ago: some may have been moved or deleted.
  const pictures = teaching.pictures(label);
  const suspects = said.suspects.filter((one) => pictures.mayHave(one.image_id));
  const copies = said.copies.filter((one) => pictures.mayHave(one.image_id));
  const close = () => setOpen(null);
  return (
    <>
      {(need || suspects.length > 0 || copies.length > 0) && (
        <ul class="hints plain small">
          {need && (
            <li>
              {need.more > 0 && need.right !== null
                ? texts.teach.advice.needsSome(need.more, need.right)
                : texts.teach.advice.needs}
            </li>
          )}
          {suspects.length > 0 && (
            <li>
              {texts.teach.advice.suspects(suspects.length)}{" "}
              <button type="button" class="link" onClick={() => setOpen("suspects")}>
                {texts.teach.advice.look}
                <span class="hidden">: {texts.teach.advice.suspects(suspects.length)}</span>
              </button>
            </li>
          )}
          {copies.length > 0 && (
            <li>
              {texts.teach.advice.copies(copies.length)}{" "}
              <button type="button" class="link" onClick={() => setOpen("copies")}>
                {texts.teach.advice.look}
                <span class="hidden">: {texts.teach.advice.copies(copies.length)}</span>
              </button>
            </li>
          )}
        </ul>
      )}
      {open === "suspects" && (
        <SuspectsDialog
          teaching={teaching}
          suspects={suspects}
          mayChange={mayChange}
          onClose={close}
        />
      )}
      {open === "copies" && (
        <CopiesDialog
          teaching={teaching}
          label={label}
          copies={copies}
          mayChange={mayChange}
          onClose={close}
        />
      )}
    </>
  );
}
