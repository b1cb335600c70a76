import { useMemo, useState } from "preact/hooks";
import { shownLabel } from "../classifier/labels";
import { Alert } from "../components/alert";
import { failureText } from "../components/toasts";
import { useNear } from "../components/use-near";
import { texts } from "../texts/texts";
import { type EmbeddingMap, useMap, useWay } from "./embedding-map";
import { MapCanvas } from "./map-canvas";
import { COLOURS, type MapClass, mapClasses, shapeOf, shapePath, spread } from "./map-classes";
import { between } from "./map-view";
import type { Report } from "./report";

const MOST_LISTED = 200;

/** Map of the pictures by how alike they look, before and after the correction. */
export function MapSection({ name, report }: { name: string; report: Report }) {
  const [isWanted, section] = useNear("200px");
  const [map, failure] = useMap(name, isWanted);
  return (
    <section id="map" ref={section}>
      <h2>{texts.understand.map}</h2>
      <p class="quiet">{texts.understand.mapHow}</p>
      {failure && <Alert>{failureText(failure)}</Alert>}
      {map && map.points.length > 0 ? (
        <ShownMap name={name} map={map} report={report} />
      ) : (
        <div class="map-place">{!failure && texts.app.loading}</div>
      )}
    </section>
  );
}

interface Props {
  name: string;
  map: EmbeddingMap;
  report: Report;
}

function ShownMap({ name, map, report }: Props) {
  const said = texts.understand;
  const [isAfter, setAfter] = useState(true);
  const [pointed, point] = useState<string | null>(null);
  const [areNumbers, setNumbers] = useState(false);
  const [pinned, pin] = useState<string | null>(null);
  const share = useWay(isAfter ? 1 : 0);
  const before = useMemo(() => Float32Array.from(map.points.flatMap((one) => one.frozen)), [map]);
  const after = useMemo(() => Float32Array.from(map.points.flatMap((one) => one.corrected)), [map]);
  const places = useMemo(() => between(before, after, share), [before, after, share]);
  const classes = useMemo(() => mapClasses(map.points.map((one) => one.label)), [map]);
  const explained = isAfter ? map.explained.corrected : map.explained.frozen;
  const { frozen, corrected } = report.measures;
  return (
    <>
      {map.is_corrected && (
        <div class="row">
          <button type="button" aria-pressed={!isAfter} onClick={() => setAfter(false)}>
            {said.before}
          </button>
          <button type="button" aria-pressed={isAfter} onClick={() => setAfter(true)}>
            {said.after}
          </button>
        </div>
      )}
      <div class="map">
        <MapCanvas
          name={name}
          points={map.points}
          classes={classes}
          places={places}
          highlight={pointed ?? pinned}
        />
        <Legend classes={classes} pinned={pinned} onPoint={point} onPin={pin} />
      </div>
      <p class="quiet small">
        {said.explained(explained.reduce((sum, one) => sum + one, 0))}{" "}
        {map.points.length < map.of && said.sampled(map.points.length, map.of)}
      </p>
      {frozen.neighbour_accuracy !== null && corrected.neighbour_accuracy !== null && (
        <p>
          {map.is_corrected
            ? said.neighbours(frozen.neighbour_accuracy, corrected.neighbour_accuracy)
            : said.neighboursOnce(corrected.neighbour_accuracy)}
        </p>
      )}
      <details onToggle={(event) => setNumbers(event.currentTarget.open)}>
        <summary>{said.inNumbers}</summary>
        {areNumbers && (
          <Spreads classes={classes} before={before} after={after} isCorrected={map.is_corrected} />
        )}
      </details>
    </>
  );
}

interface LegendProps {
  classes: MapClass[];
  pinned: string | null;
  onPoint: (label: string | null) => void;
  onPin: (label: string | null) => void;
}

function Legend({ classes, pinned, onPoint, onPin }: LegendProps) {
  return (
    <ul class="plain legend" aria-label={texts.understand.legend}>
      {classes.slice(0, MOST_LISTED).map((one) => (
        <li key={one.label}>
          <button
            type="button"
            aria-pressed={one.label === pinned}
            onPointerEnter={() => onPoint(one.label)}
            onPointerLeave={() => onPoint(null)}
            onFocus={() => onPoint(one.label)}
            onBlur={() => onPoint(null)}
            onClick={() => onPin(one.label === pinned ? null : one.label)}
          >
            <svg
              viewBox="-10 -10 20 20"
              aria-hidden="true"
              class={one.mark === null ? "mark-grey" : `mark-${one.mark % COLOURS}`}
            >
              <path d={shapePath(shapeOf(one.mark), 6.5)} />
            </svg>
            <bdi>{shownLabel(one.label)}</bdi>
            <span class="quiet small">{one.points.length}</span>
          </button>
        </li>
      ))}
    </ul>
  );
}

interface SpreadsProps {
  classes: MapClass[];
  before: Float32Array;
  after: Float32Array;
  isCorrected: boolean;
}

/** The map as a table: how far the pictures of a class lie from each other. */
function Spreads({ classes, before, after, isCorrected }: SpreadsProps) {
  const said = texts.understand;
  const rows = useMemo(
    () =>
      classes.slice(0, MOST_LISTED).map((one) => ({
        ...one,
        before: spread(before, one.points),
        after: spread(after, one.points),
      })),
    [classes, before, after],
  );
  return (
    <div class="wide-table">
      <table class="spreads">
        <caption class="quiet small">{said.spreadHow}</caption>
        <thead>
          <tr>
            <th scope="col">{said.className}</th>
            <th scope="col">{said.picturesColumn}</th>
            {isCorrected && <th scope="col">{said.before}</th>}
            <th scope="col">{isCorrected ? said.after : said.spread}</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((one) => (
            <tr key={one.label}>
              <th scope="row">
                <bdi>{shownLabel(one.label)}</bdi>
              </th>
              <td>{one.points.length}</td>
              {isCorrected && <td>{one.before.toFixed(2)}</td>}
              <td>{one.after.toFixed(2)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
