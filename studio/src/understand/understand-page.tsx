import { useEffect } from "preact/hooks";
import { root } from "../api/root";
import { classifierPath } from "../api/upload";
import { Alert } from "../components/alert";
import { failureText } from "../components/toasts";
import { linkTo } from "../router";
import { texts } from "../texts/texts";
import { CalibrationSection } from "./calibration-section";
import { ConfusionSection } from "./confusion-section";
import { EnoughSection } from "./enough-section";
import { AccuracySection, Figures } from "./figures";
import { CopiesSection, CoveredSection, SuspectsSection } from "./issues";
import { MapSection } from "./map-section";
import { OverlapSection } from "./overlap-section";
import { OpenedPicture } from "./picture";
import { followReport, making, type Report, report, reportFailure } from "./report";
import "./charts.css";
import "./map.css";
import "./pairs.css";
import "./understand.css";

/** Page of what the classifier's own pictures say of it, live. */
export function UnderstandPage({ name }: { name: string }) {
  useEffect(() => followReport(name), [name]);
  const shown = report.value;
  return (
    <>
      <h2 class="hidden">{texts.understand.title}</h2>
      {reportFailure.value && <Alert>{failureText(reportFailure.value)}</Alert>}
      <p class="making quiet small" role="status">
        {making.value && (shown ? texts.understand.makingAnew : texts.understand.making)}
      </p>
      {shown && (shown.n_images > 0 ? <Parts name={name} report={shown} /> : <Empty name={name} />)}
      <OpenedPicture name={name} />
    </>
  );
}

function Parts({ name, report: shown }: { name: string; report: Report }) {
  const said = texts.understand;
  const address = (suffix: string) => root + classifierPath(name, `report${suffix}`);
  return (
    <>
      <Figures report={shown} />
      {shown.shift?.detected && (
        <section id="shift">
          <h2>{said.shift}</h2>
          <p>{shown.shift.detail}</p>
        </section>
      )}
      <AccuracySection report={shown} />
      {shown.accuracy !== null && <ConfusionSection name={name} report={shown} />}
      <EnoughSection report={shown} />
      <SuspectsSection name={name} report={shown} />
      <CopiesSection name={name} report={shown} />
      <CoveredSection name={name} report={shown} />
      <MapSection name={name} report={shown} />
      <OverlapSection report={shown} />
      <CalibrationSection report={shown} />
      <p class="quiet small">
        {said.wholeReport} <a href={address(".html")}>{said.page}</a>,{" "}
        <a href={address(".png")}>{said.picture}</a>, <a href={address("")}>JSON</a>.
      </p>
    </>
  );
}

function Empty({ name }: { name: string }) {
  return (
    <section>
      <h2>{texts.understand.nothing}</h2>
      <p>{texts.understand.nothingHow}</p>
      <a class="button" href={linkTo({ page: "classifier", name, tab: "teach" })}>
        {texts.understand.toTeach}
      </a>
    </section>
  );
}
