import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { inboxThumbnailUrl } from "../api/pictures";
import { texts } from "../texts/texts";
import { GAP, rowAt, type Shown, scrollTo, shownOf } from "./grid-layout";
import { faults, underWay } from "./judging";
import type { Remembered } from "./merge";
import type { Selection } from "./selection";

interface Props {
  name: string;
  items: Remembered[];
  selection: Selection;
  onColumns: (columns: number) => void;
  onPick: (id: string, event: MouseEvent) => void;
  onNearEnd: () => void;
}

// Of rows: so close to the end the next page is loaded.
const NEAR = 6;

/** Grid of remembered queries, of which those in view are drawn. */
export function InboxGrid({ name, items, selection, onColumns, onPick, onNearEnd }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const [size, setSize] = useState({ width: 0, height: 0 });
  const [scrolled, setScrolled] = useState(0);
  const shown = shownOf(items.length, size.width, size.height, scrolled);
  const at = items.findIndex((one) => one.id === selection.focus);

  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const measure = () =>
      setSize({ width: element.clientWidth - 2 * GAP, height: element.clientHeight - 2 * GAP });
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  useEffect(() => onColumns(shown.columns), [shown.columns]);
  useLayoutEffect(() => {
    const element = box.current;
    if (element && at >= 0 && size.height > 0) {
      element.scrollTop = scrollTo(at, shown, size.height, element.scrollTop);
    }
  }, [at, selection.focus, shown.columns, shown.tile, size.height]);
  useEffect(() => {
    if (size.height > 0 && shown.end >= items.length - NEAR * shown.columns) onNearEnd();
  }, [shown.end, items.length, size.height]);

  return (
    <div
      ref={box}
      class="inbox-grid"
      id="inbox-grid"
      role="listbox"
      tabIndex={0}
      aria-label={texts.review.list}
      aria-multiselectable="true"
      aria-activedescendant={at >= 0 ? `inbox-${items[at]?.id}` : undefined}
      onScroll={(event) => setScrolled(rowAt(event.currentTarget.scrollTop, shown))}
    >
      <div class="inbox-canvas" role="presentation" style={{ height: `${shown.height}px` }}>
        {items.slice(shown.first, shown.end).map((one, index) => (
          <Tile
            key={one.id}
            name={name}
            item={one}
            at={shown.first + index}
            n={items.length}
            shown={shown}
            isFocused={one.id === selection.focus}
            isSelected={selection.selected.has(one.id)}
            onPick={onPick}
          />
        ))}
      </div>
    </div>
  );
}

interface TileProps {
  name: string;
  item: Remembered;
  at: number;
  n: number;
  shown: Shown;
  isFocused: boolean;
  isSelected: boolean;
  onPick: (id: string, event: MouseEvent) => void;
}

function Tile({ name, item, at, n, shown, isFocused, isSelected, onPick }: TileProps) {
  const fault = faults.value.get(item.id);
  const isBusy = underWay.value.has(item.id);
  const answer = item.known ? item.label : texts.app.unknown;
  const place = {
    "--x": `${(at % shown.columns) * (shown.tile + GAP)}px`,
    "--y": `${Math.floor(at / shown.columns) * (shown.tile + GAP)}px`,
    "--tile": `${shown.tile}px`,
  };
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the page has the keys.
    // biome-ignore lint/a11y/useFocusableInteractive: the list has the focus and names this as active.
    <div
      id={`inbox-${item.id}`}
      role="option"
      class={`inbox-tile${isFocused ? " focused" : ""}${fault ? " faulty" : ""}`}
      aria-selected={isSelected}
      aria-busy={isBusy}
      aria-setsize={n}
      aria-posinset={at + 1}
      aria-label={`${texts.review.answered(answer, item.probability)}${fault ? `. ${fault}` : ""}`}
      title={fault ?? item.filename}
      style={place}
      onClick={(event) => onPick(item.id, event)}
    >
      {item.has_picture ? (
        <img src={inboxThumbnailUrl(name, item.id)} alt="" loading="lazy" decoding="async" />
      ) : (
        <span class="inbox-no-picture">{texts.review.noPicture}</span>
      )}
      <span class="tile-label">
        {fault ? "⚠ " : ""}
        <bdi>{answer}</bdi>
      </span>
      {isSelected && (
        <span class="tick" aria-hidden="true">
          ✓
        </span>
      )}
    </div>
  );
}
