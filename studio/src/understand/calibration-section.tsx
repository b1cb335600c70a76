import { texts } from "../texts/texts";
import type { Report } from "./report";

const SIDE = 460;
const FEW_VOTES = 50;

/** Whether probabilities mean what they say: the share that is right against the probability. */
export function CalibrationSection({ report }: { report: Report }) {
  const said = texts.understand;
  const { bins, error } = report.calibration;
  if (bins.length === 0) return null;
  const most = Math.max(...bins.map((one) => one.count));
  return (
    <section id="calibration">
      <h2>{said.calibration}</h2>
      <p class="quiet">
        {said.calibrationHow} {error !== null && verdict(error, report.examined.votes)}
      </p>
      <svg
        class="chart square"
        viewBox={`-44 -8 ${SIDE + 56} ${SIDE + 56}`}
        role="img"
        aria-label={said.calibrationLabel}
      >
        <path class="axis" d={`M0 0V${SIDE}H${SIDE}`} />
        <path class="axis" stroke-dasharray="5 5" d={`M0 ${SIDE}L${SIDE} 0`} />
        {bins.map((one) => (
          <circle
            key={one.low}
            class="same-fill"
            fill-opacity={0.75}
            cx={SIDE * one.confidence}
            cy={SIDE * (1 - one.accuracy)}
            r={4 + 14 * Math.sqrt(one.count / most)}
          >
            <title>{said.calibrationDot(one.count, one.confidence, one.accuracy)}</title>
          </circle>
        ))}
        {[0, 0.5, 1].map((share) => (
          <g key={share}>
            <text x={SIDE * share} y={SIDE + 20} text-anchor="middle">
              {texts.app.percent(share)}
            </text>
            <text x={-8} y={SIDE * (1 - share) + 5} text-anchor="end">
              {texts.app.percent(share)}
            </text>
          </g>
        ))}
        <text x={SIDE / 2} y={SIDE + 42} text-anchor="middle">
          {said.probability}
        </text>
        <text x={10} y={8}>
          {said.shareRight}
        </text>
      </svg>
    </section>
  );
}

function verdict(error: number, votes: number): string {
  const said = texts.understand;
  if (votes < FEW_VOTES) return said.apartFew(error, votes);
  return said.apart(error, error < 0.05 ? "good" : error < 0.12 ? "fair" : "rough");
}
