import { useEffect, useState } from "preact/hooks";
import { api, body } from "../api/client";
import type { components } from "../api/schema";
import { tellFailure } from "../components/toasts";
import { texts } from "../texts/texts";
import { rounds } from "./judging";

type Accuracy = components["schemas"]["AccuracyOverTime"];
type Window = components["schemas"]["AccuracyOut"];

const WIDTH = 460;
const HEIGHT = 130;

/** Accuracy of what was judged, week by week, with its interval. */
export function AccuracyChart({ name }: { name: string }) {
  const [accuracy, setAccuracy] = useState<Accuracy | null>(null);
  const round = rounds.value;
  useEffect(() => {
    let isOpen = true;
    api
      .GET("/v1/classifiers/{name}/inbox/accuracy", { params: { path: { name } } })
      .then((answer) => isOpen && setAccuracy(body(answer)))
      .catch(tellFailure);
    return () => {
      isOpen = false;
    };
  }, [name, round]);
  const isIdle = accuracy?.remember === "none" && accuracy.together.judged === 0;
  if (!accuracy || isIdle) return null;
  const said = texts.review;
  const { together } = accuracy;
  return (
    <section>
      <h2>{said.accuracy}</h2>
      {together.accuracy === null ? (
        <p class="quiet">{said.nothingJudged}</p>
      ) : (
        <>
          <p>
            {said.together(together.right, together.judged)}{" "}
            <b>{said.interval(together.accuracy, together.low ?? 0, together.high ?? 1)}</b>
          </p>
          <Chart windows={accuracy.windows} />
          <p class="quiet small">{said.accuracyHow}</p>
        </>
      )}
    </section>
  );
}

function Chart({ windows }: { windows: Window[] }) {
  const said = texts.review;
  const step = WIDTH / windows.length;
  const y = (share: number) => HEIGHT * (1 - share);
  const inOrder = [...windows].sort((a, b) => (a.begin < b.begin ? -1 : 1));
  const words = inOrder.flatMap((one) => {
    if (one.accuracy === null) return [];
    return `${said.week(new Date(one.begin))}: ${texts.app.percent(one.accuracy)}`;
  });
  return (
    <svg
      class="weeks"
      viewBox={`-48 -8 ${WIDTH + 56} ${HEIGHT + 34}`}
      role="img"
      aria-label={`${said.accuracy}. ${words.join("; ")}`}
    >
      {[0, 0.5, 1].map((share) => (
        <g key={share}>
          <path class="grid" d={`M0 ${y(share)}H${WIDTH}`} />
          <text x={-8} y={y(share) + 5} text-anchor="end">
            {texts.app.percent(share)}
          </text>
        </g>
      ))}
      {inOrder.map((one, at) => {
        const x = (at + 0.5) * step;
        return (
          <g key={one.begin}>
            {one.accuracy !== null && (
              <>
                <path class="interval" d={`M${x} ${y(one.low ?? 0)}V${y(one.high ?? 1)}`} />
                <circle cx={x} cy={y(one.accuracy)} r={5}>
                  <title>{said.together(one.right, one.judged)}</title>
                </circle>
              </>
            )}
            <text class={at % 2 === 0 ? "odd" : ""} x={x} y={HEIGHT + 20} text-anchor="middle">
              {said.week(new Date(one.begin))}
            </text>
          </g>
        );
      })}
    </svg>
  );
}
