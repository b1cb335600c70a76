import { texts } from "../texts/texts";
import { HEIGHT, type HistogramChart, histogramCharts, type Overlap, WIDTH } from "./histograms";
import type { Report } from "./report";

// Closer than this, two overlaps are the same.
const SAME_OVERLAP = 0.02;
// Fewer pairs leave most of the intervals empty.
const FEW_PAIRS = 100;

/** How far looks tell the class: similarities of pairs of pictures. */
export function OverlapSection({ report }: { report: Report }) {
  const said = texts.understand;
  const { frozen, corrected } = report.overlap;
  const isCorrected = report.measures.is_corrected;
  const shown = [
    ...(isCorrected ? [{ title: said.overlapBefore, of: frozen }] : []),
    { title: said.overlapAfter, of: corrected },
  ].filter((one) => one.of.overlap !== null);
  const charts = histogramCharts(shown.map((one) => one.of));
  return (
    <section id="overlap">
      <h2>{said.overlap}</h2>
      {shown.length === 0 ? (
        <p>{said.overlapUnknown}</p>
      ) : (
        <>
          <p class="quiet">
            {said.overlapHow} {isCorrected && correctionVerdict(frozen, corrected)}
          </p>
          <div class="plots">
            {shown.map((one, at) => (
              <div key={one.title}>
                {shown.length > 1 && <h3>{one.title}</h3>}
                <Histogram chart={charts[at]} label={one.title} />
                <p class="quiet">{overlapVerdict(one.of)}</p>
              </div>
            ))}
          </div>
        </>
      )}
    </section>
  );
}

/** Whether the overlap is good, in a sentence. */
export function overlapVerdict(one: Overlap): string {
  const said = texts.understand;
  const area = one.overlap ?? 0;
  if (one.n_paired < FEW_PAIRS) return said.sharedFew(area, one.n_paired);
  const at = [0.25, 0.45, 0.65].filter((bound) => area >= bound).length;
  return said.shared(area, at);
}

/** Whether the correction lowers the overlap, in a sentence. */
export function correctionVerdict(frozen: Overlap, corrected: Overlap): string {
  if (frozen.overlap === null || corrected.overlap === null) return "";
  const difference = corrected.overlap - frozen.overlap;
  const said = texts.understand;
  if (Math.abs(difference) <= SAME_OVERLAP) return said.overlapSame;
  return difference < 0 ? said.overlapLower : said.overlapHigher;
}

function Histogram({ chart, label }: { chart: HistogramChart | undefined; label: string }) {
  if (!chart) return null;
  return (
    <svg class="chart" viewBox={`0 0 ${WIDTH} ${HEIGHT + 24}`} role="img" aria-label={label}>
      <path class="other-fill" fill-opacity={0.35} d={chart.unpaired} />
      <path class="same-fill" fill-opacity={0.45} d={chart.paired} />
      <path class="ink-fill" fill-opacity={0.28} d={chart.shared} />
      <path class="axis" d={`M0 ${HEIGHT}H${WIDTH}`} />
      {chart.ticks.map(({ x, text }) => (
        <text
          key={text}
          x={x}
          y={HEIGHT + 18}
          text-anchor={x < 12 ? "start" : x > WIDTH - 12 ? "end" : "middle"}
        >
          {text}
        </text>
      ))}
    </svg>
  );
}
