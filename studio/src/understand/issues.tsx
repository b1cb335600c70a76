import { useState } from "preact/hooks";
import type { components } from "../api/schema";
import { allows } from "../session/session";
import { texts } from "../texts/texts";
import { remove } from "./acts";
import { PictureButton } from "./picture";
import { type Report, settle, settled } from "./report";
import { Suspects } from "./suspects";

type NearCopy = components["schemas"]["NearCopy"];

const COPIES_FIRST = 6;
// More than a fifth tells of classes that are hard to tell apart, rather than of wrong labels.
const MANY_SUSPECTS = 0.2;

/** Pictures that look mislabelled. */
export function SuspectsSection({ name, report }: { name: string; report: Report }) {
  const said = texts.understand;
  const isMany = report.n_suspects > MANY_SUSPECTS * report.examined.votes;
  return (
    <section id="suspects" tabIndex={-1}>
      <h2>{said.suspects}</h2>
      {report.suspects.length > 0 ? (
        <>
          <p class="quiet">
            {said.suspectsHow} {isMany ? said.suspectsMany : said.suspectsFew}
          </p>
          <Suspects name={name} suspects={report.suspects} first={9} />
        </>
      ) : (
        <p>{report.examined.votes > 0 ? said.noSuspects : said.suspectsUnknown}</p>
      )}
    </section>
  );
}

/** Pictures that are near copies of another one of their class. */
export function CopiesSection({ name, report }: { name: string; report: Report }) {
  const said = texts.understand;
  const [most, setMost] = useState(COPIES_FIRST);
  const left = report.redundant.filter((one) => !settled.value.has(one.image_id));
  return (
    <section id="copies" tabIndex={-1}>
      <h2>{said.copies}</h2>
      {report.redundant.length === 0 ? (
        <p>{said.noCopies}</p>
      ) : (
        <>
          <p class="quiet">
            {said.copiesHow} {report.examined.near_copies_left_out > 0 && said.copiesLeftOut}
          </p>
          <div class="pairs">
            {left.slice(0, most).map((one) => (
              <CopyCard key={one.image_id} name={name} copy={one} />
            ))}
          </div>
          <div class="row">
            {left.length > most && (
              <button type="button" onClick={() => setMost(most + 24)}>
                {said.showMore(left.length - most)}
              </button>
            )}
            {left.length > 1 && allows("write") && (
              <button
                type="button"
                class="danger"
                onClick={() => remove(name, left.slice(0, most))}
              >
                {said.removeShown(Math.min(most, left.length))}
              </button>
            )}
          </div>
        </>
      )}
    </section>
  );
}

function CopyCard({ name, copy: one }: { name: string; copy: NearCopy }) {
  const said = texts.understand;
  const [isBusy, setBusy] = useState(false);
  const removeIt = async () => {
    setBusy(true);
    await remove(name, [one]);
    setBusy(false);
  };
  return (
    <figure aria-busy={isBusy}>
      <div class="two">
        <div>
          <PictureButton name={name} picture={one} />
        </div>
        <div>
          <PictureButton name={name} picture={one.copy_of} />
        </div>
      </div>
      <figcaption>
        <b>
          <bdi>{one.label}</bdi>
        </b>
        <bdi>{one.filename}</bdi> {said.and} <bdi>{one.copy_of.filename}</bdi>,{" "}
        {said.similarity(one.copy_of.similarity)}
        {allows("write") && (
          <div class="row">
            <button type="button" class="danger" disabled={isBusy} onClick={removeIt}>
              {said.removeLeft}
            </button>
            <button type="button" disabled={isBusy} onClick={() => settle([one.image_id], true)}>
              {said.keepBoth}
            </button>
          </div>
        )}
      </figcaption>
    </figure>
  );
}
