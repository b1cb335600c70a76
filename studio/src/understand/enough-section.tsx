import { useId, useState } from "preact/hooks";
import { texts } from "../texts/texts";
import {
  type Curve,
  type CurveChart,
  curveChart,
  expectedAt,
  HEIGHT,
  mostMore,
  WIDTH,
} from "./curve";
import type { Report } from "./report";

const NEEDS_FIRST = 6;

/** Whether more pictures help, how much, and of which classes. */
export function EnoughSection({ report }: { report: Report }) {
  const { advice } = report;
  const [most, setMost] = useState(NEEDS_FIRST);
  const said = texts.understand;
  return (
    <section id="enough">
      <h2>{said.enough}</h2>
      <p>{advice.text}</p>
      {advice.curve && <LearningCurve curve={advice.curve} />}
      {advice.classes.length > 0 && (
        <>
          <h3>{said.needs}</h3>
          <dl class="needs">
            {advice.classes.slice(0, most).map((one) => (
              <div key={one.label}>
                <dt>
                  <bdi>{one.label}</bdi>
                </dt>
                <dd>{one.text}</dd>
              </div>
            ))}
          </dl>
          {advice.classes.length > most && (
            <button type="button" onClick={() => setMost(most + 8 * NEEDS_FIRST)}>
              {said.showMore(advice.classes.length - most)}
            </button>
          )}
        </>
      )}
    </section>
  );
}

function LearningCurve({ curve }: { curve: Curve }) {
  const id = useId();
  const said = texts.understand;
  const most = mostMore(curve);
  const [wanted, setMore] = useState(most);
  const chart = curveChart(curve);
  if (chart === null) return null;
  const more = Math.min(wanted, most);
  const expected = expectedAt(curve, curve.shots + more);
  const onPointerMove = (event: PointerEvent) => {
    const box = (event.currentTarget as SVGSVGElement).getBoundingClientRect();
    const share = (event.clientX - box.left) / box.width;
    setMore(moreAt(chart, curve, share * (WIDTH + 66) - 52, most));
  };
  return (
    <div class="learning">
      <Chart
        chart={chart}
        at={curve.shots + more}
        expected={expected}
        onPointerMove={onPointerMove}
      />
      <div>
        <label for={id}>{said.morePictures}</label>
        <input
          id={id}
          type="range"
          min={0}
          max={most}
          value={more}
          aria-valuetext={expected ? said.withMore(more, expected) : ""}
          onInput={(event) => setMore(Number(event.currentTarget.value))}
        />
        {expected && <p class="with-more">{said.withMore(more, expected)}</p>}
        <p class="quiet small">{said.curveHow}</p>
      </div>
    </div>
  );
}

/** The number of more pictures that a place on the horizontal axis stands for. */
function moreAt(chart: CurveChart, curve: Curve, x: number, most: number): number {
  let best = 0;
  for (let more = 1; more <= most; more += 1) {
    const nearer =
      Math.abs(chart.x(curve.shots + more) - x) < Math.abs(chart.x(curve.shots + best) - x);
    if (nearer) best = more;
  }
  return best;
}

interface ChartProps {
  chart: CurveChart;
  at: number;
  expected: { value: number; low: number; high: number } | null;
  onPointerMove: (event: PointerEvent) => void;
}

function Chart({ chart, at, expected, onPointerMove }: ChartProps) {
  const said = texts.understand;
  return (
    <svg
      class="chart"
      viewBox={`-52 -8 ${WIDTH + 66} ${HEIGHT + 56}`}
      role="img"
      aria-label={said.curveLabel}
      onPointerMove={onPointerMove}
    >
      {chart.levels.map((one) => (
        <g key={one.value}>
          <path class="grid" d={`M0 ${one.at}H${WIDTH}`} />
          <text x={-8} y={one.at + 5} text-anchor="end">
            {one.value} %
          </text>
        </g>
      ))}
      <path class="band" d={chart.band} />
      <path class="curve" d={chart.line} />
      <path class="curve" stroke-dasharray="7 5" d={chart.ahead} />
      <path class="axis" stroke-dasharray="2 4" d={`M${chart.now} 0V${HEIGHT}`} />
      <path class="axis" d={`M0 ${HEIGHT}H${WIDTH}`} />
      {chart.dots.map((dot) => (
        <circle key={dot.shots} class="other-fill" cx={dot.x} cy={dot.y} r={5}>
          <title>{said.measured(dot.shots, dot.accuracy)}</title>
        </circle>
      ))}
      {expected && (
        <g class="marker">
          <path d={`M${chart.x(at)} ${chart.y(expected.low)}V${chart.y(expected.high)}`} />
          <circle cx={chart.x(at)} cy={chart.y(expected.value)} r={6} />
        </g>
      )}
      {chart.shots.map((one) => (
        <text key={one.value} x={one.at} y={HEIGHT + 18} text-anchor="middle">
          {one.value}
        </text>
      ))}
      <text x={chart.now - 5} y={HEIGHT - 8} text-anchor="end">
        {said.now}
      </text>
      <text x={WIDTH / 2} y={HEIGHT + 40} text-anchor="middle">
        {said.picturesAClass}
      </text>
    </svg>
  );
}
