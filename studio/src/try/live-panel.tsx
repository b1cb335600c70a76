import { useEffect, useRef, useState } from "preact/hooks";
import { classes, NEGATIVES } from "../classifier/classifier";
import { Alert } from "../components/alert";
import { closeCamera, frameOf, openCamera } from "../components/camera";
import { Probabilities } from "../components/probabilities";
import { failureText } from "../components/toasts";
import { texts } from "../texts/texts";
import { cameraProblem } from "./camera-problem";
import { follow, rateOf } from "./live";
import { rowsOf } from "./live-rows";
import { type Prediction, predictUnremembered } from "./predicting";

const FRAME_SIDE = 336;
const KEPT_SIDE = 640;
const ROWS = 8;

interface Seen {
  answer: Prediction;
  milliseconds: number;
  rate: number;
}

interface Props {
  name: string;
  onKept: (pictures: { file: Blob; name: string }[]) => void;
  onEnd: () => void;
}

/** What the camera sees and what it is taken for, over and over. */
export function LivePanel({ name, onKept, onEnd }: Props) {
  const video = useRef<HTMLVideoElement>(null);
  const [seen, setSeen] = useState<Seen | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  useEffect(() => filmed(name, video, setSeen, setProblem), [name]);
  useEffect(() => {
    const onHidden = () => document.visibilityState === "hidden" && onEnd();
    document.addEventListener("visibilitychange", onHidden);
    return () => document.removeEventListener("visibilitychange", onHidden);
  });
  const keep = async () => {
    if (video.current) {
      onKept([{ file: await frameOf(video.current, KEPT_SIDE), name: texts.try.frameName }]);
    }
  };
  const labels = classes.value.map((one) => one.label).filter((one) => one !== NEGATIVES);
  return (
    <div class="trial live">
      <figure class="trial-picture">
        <div class="trial-frame">
          <video ref={video} playsInline muted aria-label={texts.try.cameraShows} />
        </div>
        <div class="buttons">
          <button type="button" class="primary" disabled={!seen} onClick={keep}>
            {texts.try.keepFrame}
          </button>
          <button type="button" onClick={onEnd}>
            {texts.try.endLive}
          </button>
        </div>
      </figure>
      <section class="answer">
        {problem && <Alert>{problem}</Alert>}
        {seen ? (
          <>
            <h2 class="verdict">
              <bdi>{seen.answer.label}</bdi>{" "}
              <span class={seen.answer.known ? "unknown-mark not-shown" : "unknown-mark"}>
                {texts.app.unknown}
              </span>
            </h2>
            <Probabilities candidates={rowsOf(labels, seen.answer.top_k, ROWS)} />
            <p class="quiet small answered-in">{texts.try.rate(seen.rate, seen.milliseconds)}</p>
          </>
        ) : (
          !problem && <p class="quiet">{texts.try.openingCamera}</p>
        )}
        <Spoken label={seen && (seen.answer.known ? seen.answer.label : texts.app.unknown)} />
      </section>
    </div>
  );
}

/** Says an answer to screen readers once it has stayed for a while: ten a second are none. */
function Spoken({ label }: { label: string | null }) {
  const [said, setSaid] = useState("");
  useEffect(() => {
    const timer = setTimeout(() => setSaid(label ?? ""), 1000);
    return () => clearTimeout(timer);
  }, [label]);
  return (
    <span class="hidden" role="status" dir="auto">
      {said}
    </span>
  );
}

/** Opens the camera and asks of its frames until it is ended. */
function filmed(
  name: string,
  video: { current: HTMLVideoElement | null },
  onSeen: (seen: Seen) => void,
  onProblem: (text: string | null) => void,
): () => void {
  let stream: MediaStream | null = null;
  let end = () => {};
  let ended = false;
  const times: number[] = [];
  const begin = async () => {
    stream = await openCamera();
    const element = video.current;
    if (ended || element === null) {
      closeCamera(stream);
      return;
    }
    element.srcObject = stream;
    await element.play();
    end = follow({
      take: () => frameOf(element, FRAME_SIDE),
      ask: (frame) => predictUnremembered(name, frame, { candidates: ROWS, evidence: 0 }),
      onAnswer: (answer, milliseconds) => {
        const now = performance.now();
        times.push(now);
        if (times.length > 40) times.shift();
        onProblem(null);
        onSeen({ answer, milliseconds, rate: rateOf(times, now) });
      },
      onProblem: (problem) => onProblem(failureText(problem)),
    });
  };
  begin().catch((error) => {
    if (!ended) onProblem(cameraProblem(error));
  });
  return () => {
    ended = true;
    end();
    closeCamera(stream);
  };
}
