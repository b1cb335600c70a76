// biome-ignore-all lint/a11y/useSemanticElements: a table lays out all of its rows; here only those in view exist.
// biome-ignore-all lint/a11y/useFocusableInteractive: the grid has the focus, and says which tile it is at.
import {
  elementScroll,
  observeElementOffset,
  observeElementRect,
  Virtualizer,
} from "@tanstack/virtual-core";
import type { ComponentChildren } from "preact";
import { useEffect, useId, useLayoutEffect, useReducer, useRef, useState } from "preact/hooks";
import "./virtual-grid.css";

interface Props {
  label: string;
  count: number;
  /** Least side of a tile, in pixels. */
  tile: number;
  keyOf: (index: number) => string | number;
  /** What a tile shows. Only those in view, and a row beyond, are there. */
  tileOf: (index: number) => ComponentChildren;
  isSelected: (index: number) => boolean;
  onPick: (index: number, event: MouseEvent | KeyboardEvent) => void;
  onOpen?: (index: number) => void;
  /** Keys that the grid has no use for, with the tile that the user is at. */
  onKey?: (event: KeyboardEvent, index: number) => void;
  /** Told which tiles are in view, for what is loaded by pages. */
  onView?: (first: number, last: number) => void;
  onDragStart?: (index: number, event: DragEvent) => void;
}

const GAP = 6;
const ROWS_BEYOND = 2;

/** Grid of square tiles in a box that scrolls, of which only those in view exist. */
export function VirtualGrid(props: Props) {
  const { count, tile } = props;
  const id = useId();
  const box = useRef<HTMLDivElement>(null);
  const rail = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  const [at, setAt] = useState(0);
  const [, redraw] = useReducer((n: number, _: undefined) => n + 1, 0);

  const columns = Math.max(1, Math.floor((width + GAP) / (tile + GAP)));
  const side = Math.max(1, Math.floor((width + GAP) / columns) - GAP);
  const rows = Math.ceil(count / columns);
  const virtualizer = useVirtualizer(box, rows, side + GAP, () => redraw(undefined));
  useLayoutEffect(() => {
    const element = rail.current;
    if (element === null) return;
    const watch = new ResizeObserver(() => setWidth(element.clientWidth));
    watch.observe(element);
    setWidth(element.clientWidth);
    return () => watch.disconnect();
  }, []);

  const shown = width > 0 ? virtualizer.getVirtualItems() : [];
  const first = (shown[0]?.index ?? 0) * columns;
  const last = Math.min(count, ((shown.at(-1)?.index ?? 0) + 1) * columns) - 1;
  useEffect(() => props.onView?.(first, last), [first, last, count]);

  const active = Math.min(at, count - 1);
  const go = (to: number) => {
    const next = Math.max(0, Math.min(count - 1, to));
    setAt(next);
    virtualizer.scrollToIndex(Math.floor(next / columns));
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.target !== box.current) return;
    const rtl = getComputedStyle(event.currentTarget as Element).direction === "rtl";
    const page = columns * Math.max(1, Math.floor((box.current?.clientHeight ?? 0) / (side + GAP)));
    const steps: Record<string, number> = {
      ArrowRight: rtl ? -1 : 1,
      ArrowLeft: rtl ? 1 : -1,
      ArrowDown: columns,
      ArrowUp: -columns,
      PageDown: page,
      PageUp: -page,
      Home: -count,
      End: count,
    };
    const step = steps[event.key];
    if (step !== undefined && !event.altKey && !event.ctrlKey && !event.metaKey) go(active + step);
    else if (event.key === " ") props.onPick(active, event);
    else if (event.key === "Enter") props.onOpen?.(active);
    else {
      props.onKey?.(event, active);
      return;
    }
    event.preventDefault();
  };
  const cellOf = (event: Event): number | null => {
    const cell = (event.target as Element).closest?.("[data-tile]");
    return cell ? Number(cell.getAttribute("data-tile")) : null;
  };
  return (
    <div
      ref={box}
      class="virtual-grid"
      role="grid"
      aria-label={props.label}
      aria-multiselectable="true"
      aria-rowcount={rows}
      aria-colcount={columns}
      aria-activedescendant={active >= first && active <= last ? `${id}-${active}` : undefined}
      tabIndex={0}
      onKeyDown={onKeyDown}
      onClick={(event) => {
        const index = cellOf(event);
        if (index === null || (event.target as Element).closest("button")) return;
        setAt(index);
        props.onPick(index, event);
      }}
      onDblClick={(event) => {
        const index = cellOf(event);
        if (index !== null) props.onOpen?.(index);
      }}
      onDragStart={(event) => {
        const index = cellOf(event);
        if (index !== null) props.onDragStart?.(index, event);
      }}
    >
      <div
        ref={rail}
        role="presentation"
        class="virtual-rail"
        style={{ height: `${Math.max(0, rows * (side + GAP) - GAP)}px` }}
      >
        {shown.map((row) => (
          <div
            key={row.index}
            role="row"
            aria-rowindex={row.index + 1}
            class="virtual-row"
            style={{ transform: `translateY(${row.start}px)`, gap: `${GAP}px` }}
          >
            {range(row.index * columns, Math.min(count, (row.index + 1) * columns)).map((index) => (
              <div
                key={props.keyOf(index)}
                id={`${id}-${index}`}
                role="gridcell"
                data-tile={index}
                class={index === active ? "virtual-cell at" : "virtual-cell"}
                aria-colindex={(index % columns) + 1}
                aria-selected={props.isSelected(index)}
                draggable={props.onDragStart !== undefined}
                style={{ width: `${side}px`, height: `${side}px` }}
              >
                {props.tileOf(index)}
              </div>
            ))}
          </div>
        ))}
      </div>
    </div>
  );
}

function useVirtualizer(
  box: { current: HTMLDivElement | null },
  count: number,
  size: number,
  onChange: () => void,
): Virtualizer<HTMLDivElement, HTMLDivElement> {
  const made = useRef<Virtualizer<HTMLDivElement, HTMLDivElement> | null>(null);
  const options = {
    count,
    getScrollElement: () => box.current,
    estimateSize: () => size,
    scrollToFn: elementScroll,
    observeElementRect,
    observeElementOffset,
    overscan: ROWS_BEYOND,
    onChange,
  };
  made.current ??= new Virtualizer(options);
  const virtualizer = made.current;
  virtualizer.setOptions(options);
  useLayoutEffect(() => virtualizer._didMount(), [virtualizer]);
  useLayoutEffect(() => virtualizer._willUpdate());
  useLayoutEffect(() => virtualizer.measure(), [virtualizer, size]);
  return virtualizer;
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, n) => from + n);
}
