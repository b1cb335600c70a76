import { useEffect, useState } from "preact/hooks";
import { api, body } from "../api/client";
import { asProblem, type Problem } from "../api/problem";
import type { components } from "../api/schema";
import { version } from "../classifier/classifier";

export type EmbeddingMap = components["schemas"]["MapOut"];

const MILLISECONDS_AFTER_A_CHANGE = 1500;
const MILLISECONDS_OF_THE_WAY = 800;

/** The map of a classifier, made anew after its changes, from when it is wanted. */
export function useMap(name: string, isWanted: boolean): [EmbeddingMap | null, Problem | null] {
  const [map, setMap] = useState<EmbeddingMap | null>(null);
  const [failure, setFailure] = useState<Problem | null>(null);
  const now = version.value;
  useEffect(() => {
    if (!isWanted) return;
    const closing = new AbortController();
    const load = () =>
      api
        .GET("/v1/classifiers/{name}/map", {
          params: { path: { name } },
          cache: "no-cache",
          signal: closing.signal,
        })
        .then((answer) => {
          // openapi-fetch tells of pairs as of lists of any length.
          setMap(body(answer) as EmbeddingMap);
          setFailure(null);
        })
        .catch((error) => {
          if (!closing.signal.aborted) setFailure(asProblem(error));
        });
    const timer = setTimeout(load, map === null ? 0 : MILLISECONDS_AFTER_A_CHANGE);
    return () => {
      clearTimeout(timer);
      closing.abort();
    };
  }, [name, isWanted, now]);
  return [map, failure];
}

/** Goes from 0 to 1 or back in a moment; at once for those who want nothing to move. */
export function useWay(target: 0 | 1): number {
  const [share, setShare] = useState<number>(target);
  useEffect(() => {
    if (share === target) return;
    if (window.matchMedia("(prefers-reduced-motion: reduce)").matches) {
      setShare(target);
      return;
    }
    const from = share;
    const began = performance.now();
    let frame = 0;
    const step = (at: number) => {
      const done = Math.min(Math.max((at - began) / MILLISECONDS_OF_THE_WAY, 0), 1);
      const eased = done * done * (3 - 2 * done);
      setShare(done === 1 ? target : from + (target - from) * eased);
      if (done < 1) frame = requestAnimationFrame(step);
    };
    frame = requestAnimationFrame(step);
    return () => cancelAnimationFrame(frame);
  }, [target]);
  return share;
}
