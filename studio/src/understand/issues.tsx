import { texts } from "../texts/texts";
import type { Report } from "./report";
import { Spares } from "./spares";
import { Suspects } from "./suspects";

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
          <More n={report.n_suspects - report.suspects.length} />
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
          <Spares
            name={name}
            spares={report.redundant.map((one) => ({
              ...one,
              other: one.copy_of,
              said: said.similarity(one.copy_of.similarity),
            }))}
          />
          <More n={report.n_redundant - report.redundant.length} />
        </>
      )}
    </section>
  );
}

/** Pictures that another one of their class covers: without them little is lost. */
export function CoveredSection({ name, report }: { name: string; report: Report }) {
  const said = texts.understand;
  const covered = report.advice.can_go.filter((one) => one.reason === "covered");
  if (covered.length === 0) return null;
  return (
    <section id="covered">
      <h2>{said.covered}</h2>
      <p class="quiet">{said.coveredHow}</p>
      <Spares
        name={name}
        spares={covered.map((one) => ({ ...one, other: one.similar, said: said.isCovered }))}
      />
    </section>
  );
}

function More({ n }: { n: number }) {
  return n > 0 ? <p class="quiet">{texts.understand.lessClear(n)}</p> : null;
}
