import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { shownLabel } from "../classifier/labels";
import { texts } from "../texts/texts";
import type { Picture } from "./acts";
import { MapCard } from "./map-card";
import type { MapClass } from "./map-classes";
import { draw } from "./map-draw";
import {
  dragged,
  nearest,
  next,
  onScreen,
  type Place,
  showing,
  type View,
  WHOLE,
  zoomed,
} from "./map-view";
import { opened } from "./picture";

interface Props {
  name: string;
  points: readonly Picture[];
  classes: readonly MapClass[];
  places: Float32Array;
  highlight: string | null;
}

const MOUSE_REACH = 12;
const TOUCH_REACH = 24;
const STEP = 1.5;
// A pointer that has moved less has been pressed, not dragged.
const STILL = 5;

/** The map: drawn, and looked into by mouse, touch and keys. */
export function MapCanvas({ name, points, classes, places, highlight }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const box = useRef<HTMLDivElement>(null);
  const pressed = useRef(new Map<number, Place>());
  const travelled = useRef(0);
  const [side, setSide] = useState(0);
  const [view, setView] = useState<View>(WHOLE);
  const [current, setCurrent] = useState(-1);
  const [scheme, setScheme] = useState(0);
  const point = points[current];

  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const measure = () => setSide(element.clientWidth);
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    const dark = window.matchMedia("(prefers-color-scheme: dark)");
    const changed = () => setScheme((n) => n + 1);
    dark.addEventListener("change", changed);
    return () => {
      observer.disconnect();
      dark.removeEventListener("change", changed);
    };
  }, []);
  useEffect(() => {
    const frame = requestAnimationFrame(() => {
      if (canvas.current) {
        draw(canvas.current, side, { classes, places, view, highlight, current });
      }
    });
    return () => cancelAnimationFrame(frame);
  }, [side, classes, places, view, highlight, current, scheme]);
  useEffect(() => {
    const element = box.current;
    // The page scrolls over a map that is not in use. Browsers tell of a pinch by the control key.
    const onWheel = (event: WheelEvent) => {
      if (!event.ctrlKey && document.activeElement !== element) return;
      event.preventDefault();
      setView((now) => zoomed(now, side, 2 ** (-event.deltaY / 250), placeOf(event)));
    };
    element?.addEventListener("wheel", onWheel, { passive: false });
    return () => element?.removeEventListener("wheel", onWheel);
  }, [side]);

  const placeOf = (event: MouseEvent): Place => {
    const at = canvas.current?.getBoundingClientRect();
    return [event.clientX - (at?.left ?? 0), event.clientY - (at?.top ?? 0)];
  };
  const open = () => {
    if (point) opened.value = { image_id: point.image_id, label: point.label };
  };
  const onPointerDown = (event: PointerEvent) => {
    pressed.current.set(event.pointerId, placeOf(event));
    travelled.current = 0;
  };
  const onPointerMove = (event: PointerEvent) => {
    const at = placeOf(event);
    const before = pressed.current.get(event.pointerId);
    if (!before) {
      setCurrent(nearest(places, view, side, at, MOUSE_REACH));
      return;
    }
    travelled.current += Math.hypot(at[0] - before[0], at[1] - before[1]);
    const other = [...pressed.current].find(([id]) => id !== event.pointerId)?.[1];
    if (other) {
      const was = Math.hypot(before[0] - other[0], before[1] - other[1]);
      const is = Math.hypot(at[0] - other[0], at[1] - other[1]);
      setView(zoomed(view, side, is / Math.max(was, 1), other));
    } else if (view.scale > 1) {
      setView(dragged(view, side, at[0] - before[0], at[1] - before[1]));
    }
    pressed.current.set(event.pointerId, at);
  };
  const onPointerUp = (event: PointerEvent) => {
    pressed.current.delete(event.pointerId);
    if (travelled.current > STILL || event.type !== "pointerup") return;
    const isMouse = event.pointerType === "mouse";
    const reach = isMouse ? MOUSE_REACH : TOUCH_REACH;
    const found = nearest(places, view, side, placeOf(event), reach);
    setCurrent(found);
    const there = points[found];
    if (isMouse && there) opened.value = { image_id: there.image_id, label: there.label };
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const middle: Place = [side / 2, side / 2];
    if (event.key.startsWith("Arrow")) {
      const found =
        current < 0 ? nearest(places, view, side, middle, side) : next(places, current, event.key);
      if (found >= 0) {
        setCurrent(found);
        setView(showing(view, side, places[2 * found] ?? 0, places[2 * found + 1] ?? 0));
      }
    } else if (event.key === "Enter") open();
    else if (event.key === "+" || event.key === "=") setView(zoomed(view, side, STEP, middle));
    else if (event.key === "-") setView(zoomed(view, side, 1 / STEP, middle));
    else if (event.key === "0") setView(WHOLE);
    else return;
    event.preventDefault();
  };
  const middle: Place = [side / 2, side / 2];
  const said = texts.understand;
  return (
    <div class="map-frame">
      <div
        ref={box}
        class={view.scale > 1 ? "map-box zoomed" : "map-box"}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: it has keys of its own.
        tabIndex={0}
        role="application"
        aria-label={said.mapLabel}
        onKeyDown={onKeyDown}
        onPointerDown={onPointerDown}
        onPointerMove={onPointerMove}
        onPointerUp={onPointerUp}
        onPointerCancel={onPointerUp}
        onPointerLeave={(event) => {
          pressed.current.delete(event.pointerId);
          if (event.pointerType === "mouse") setCurrent(-1);
        }}
      >
        <canvas ref={canvas} />
      </div>
      {point && (
        <MapCard
          name={name}
          point={point}
          at={onScreen(view, side, places[2 * current] ?? 0, places[2 * current + 1] ?? 0)}
          side={side}
          onOpen={open}
        />
      )}
      <p class="hidden" aria-live="polite">
        {point ? said.mapPoint(shownLabel(point.label)) : ""}
      </p>
      <div class="map-zoom">
        <button
          type="button"
          aria-label={said.zoomIn}
          onClick={() => setView(zoomed(view, side, STEP, middle))}
        >
          +
        </button>
        <button
          type="button"
          aria-label={said.zoomOut}
          disabled={view.scale === 1}
          onClick={() => setView(zoomed(view, side, 1 / STEP, middle))}
        >
          −
        </button>
        <button type="button" disabled={view.scale === 1} onClick={() => setView(WHOLE)}>
          {said.zoomReset}
        </button>
      </div>
    </div>
  );
}
