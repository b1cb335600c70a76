import { useEffect } from "preact/hooks";
import type { ClassSummary } from "../classifier/classifier";
import { shownLabel } from "../classifier/labels";
import { tellFailure } from "../components/toasts";
import { VirtualGrid } from "../components/virtual-grid";
import { texts } from "../texts/texts";
import { setDragged } from "./dragging";
import { openPicture } from "./opened";
import type { Teaching } from "./teaching";
import { PendingTile, PictureTile } from "./tiles";

interface Props {
  teaching: Teaching;
  shown: ClassSummary;
  large: boolean;
  mayChange: boolean;
}

const SIDE = 76;
const LARGE_SIDE = 128;
const BEYOND = 300;

/** Pictures of a class: first those on their way, then those that are registered. */
export function ClassGrid({ teaching, shown, large, mayChange }: Props) {
  const { label } = shown;
  const { selection } = teaching;
  const pictures = teaching.pictures(label);
  const pending = teaching.uploads.pending.value.get(label) ?? [];
  const all = pictures.all.value;
  const there = pictures.complete.value ? all.length : Math.max(all.length, shown.n_images);
  const isThere = shown.n_images > 0;
  useEffect(() => {
    if (isThere) pictures.want(1).catch(tellFailure);
  }, [pictures, isThere]);
  const at = (index: number) => all[index - pending.length];
  const ids = () => pictures.all.value.map((one) => one.id);
  const chosen = selection.chosen.value;
  if (pending.length + there === 0) return null;
  return (
    <VirtualGrid
      label={texts.teach.picturesOf(shownLabel(label))}
      count={pending.length + there}
      tile={large ? LARGE_SIDE : SIDE}
      keyOf={(index) => pending[index]?.id ?? at(index)?.id ?? `to come ${index}`}
      isSelected={(index) => chosen.has(at(index)?.id ?? "")}
      tileOf={(index) => {
        const onItsWay = pending[index];
        if (onItsWay) return <PendingTile teaching={teaching} pending={onItsWay} />;
        const picture = at(index);
        if (picture === undefined) return <span class="tile-to-come" />;
        const open = () => openPicture(label, picture.id);
        return <PictureTile teaching={teaching} picture={picture} onOpen={open} />;
      }}
      onView={(_, last) => {
        if (isThere) pictures.want(last - pending.length + BEYOND).catch(tellFailure);
      }}
      onPick={(index, event) => {
        if (at(index)) selection.pick(label, ids(), index - pending.length, event.shiftKey);
      }}
      onOpen={(index) => {
        const picture = at(index);
        if (picture) openPicture(label, picture.id);
      }}
      onKey={(event) => {
        if ((event.ctrlKey || event.metaKey) && event.key === "a") {
          event.preventDefault();
          teaching.selectAll(label).catch(tellFailure);
        }
      }}
      onDragStart={
        mayChange
          ? (index, event) => {
              const picture = at(index);
              if (picture === undefined) event.preventDefault();
              else {
                if (!selection.has(picture.id)) selection.only(label, picture.id);
                setDragged(event, selection.chosen.value.size);
              }
            }
          : undefined
      }
    />
  );
}
