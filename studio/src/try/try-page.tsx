import { useEffect, useState } from "preact/hooks";
import { classes, version } from "../classifier/classifier";
import { linkTo } from "../router";
import { allows } from "../session/session";
import { texts } from "../texts/texts";
import { Answer } from "./answer";
import { Correction } from "./correction";
import { forgetIfUndone } from "./corrections";
import { Evidence } from "./evidence";
import { LivePanel } from "./live-panel";
import { Picture } from "./picture";
import { PicturesInput } from "./pictures-input";
import { Reasons } from "./reasons";
import { Strip } from "./strip";
import { ask, chosen, openFor, tryPictures } from "./trials";
import "./try.css";

/** Page where pictures are tried: what the classifier says of them, why, and what to do if it is wrong. */
export function TryPage({ name }: { name: string }) {
  openFor(name);
  const [live, setLive] = useState(false);
  useAnswersOfNow(name);
  if (classes.value.length === 0) return <Untaught name={name} />;
  if (!allows("predict")) return <p class="notice">{texts.try.notAllowed}</p>;
  const take = (pictures: { file: Blob; name: string }[]) => {
    setLive(false);
    tryPictures(pictures);
  };
  const trial = chosen.value;
  return (
    <PicturesInput small={live || trial !== null} onPictures={take} onLive={() => setLive(true)}>
      {live && <LivePanel name={name} onKept={take} onEnd={() => setLive(false)} />}
      {!live && <Strip />}
      {!live && trial && (
        <div class="trial">
          <Picture trial={trial} />
          <div class="trial-said">
            <Answer trial={trial} />
            {trial.answer && allows("write") && (
              <Correction key={trial.id} name={name} trial={trial} />
            )}
            {trial.answer && <Reasons candidates={trial.answer.top_k} />}
            {trial.answer && <Evidence name={name} evidence={trial.answer.evidence} />}
          </div>
        </div>
      )}
    </PicturesInput>
  );
}

/** Asks again of the picture that is looked at, where the classifier has changed since its answer. */
function useAnswersOfNow(name: string): void {
  const seen = version.value;
  const trial = chosen.value;
  useEffect(() => {
    if (!trial?.answer || trial.version >= seen) return;
    void ask(trial.id);
    void forgetIfUndone(name, trial.id);
  }, [name, seen, trial]);
}

function Untaught({ name }: { name: string }) {
  return (
    <section class="untaught">
      <h2>{texts.try.untaught}</h2>
      <p class="quiet">{texts.try.untaughtHow}</p>
      <a class="button" href={linkTo({ page: "classifier", name, tab: "teach" })}>
        {texts.try.toTeach}
      </a>
    </section>
  );
}
