import { useState } from "preact/hooks";
import { allows } from "../session/session";
import { texts } from "../texts/texts";
import { move, type Picture } from "./acts";
import { settle } from "./report";

/** What can be done about a picture that the others name as of another class. */
export function MoveOrKeep({
  name,
  picture,
}: {
  name: string;
  picture: Picture & { named: string };
}) {
  const [isBusy, setBusy] = useState(false);
  if (!allows("write")) return null;
  const moveIt = async () => {
    setBusy(true);
    await move(name, [picture], picture.named);
    setBusy(false);
  };
  return (
    <div class="row" aria-busy={isBusy}>
      <button type="button" disabled={isBusy} onClick={moveIt}>
        {texts.understand.moveToClass} <bdi>{picture.named}</bdi>
      </button>
      <button type="button" disabled={isBusy} onClick={() => settle([picture.image_id], true)}>
        {texts.understand.keep}
      </button>
    </div>
  );
}
