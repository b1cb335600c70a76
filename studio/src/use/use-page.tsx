import { root } from "../api/root";
import { classifierPath } from "../api/upload";
import { allows } from "../session/session";
import { texts } from "../texts/texts";
import { Lines } from "./lines";
import { Names } from "./names";
import { Settings } from "./settings-form";
import "../components/fields.css";
import "./use.css";

/** Page of how programs use the classifier, and of what it is apart from its pictures. */
export function UsePage({ name }: { name: string }) {
  return (
    <>
      <Lines name={name} />
      {allows("read") && <Export name={name} />}
      {allows("write") && <Settings name={name} />}
      {allows("write") && <Names key={name} name={name} />}
    </>
  );
}

function Export({ name }: { name: string }) {
  const path = root + classifierPath(name, "export");
  return (
    <section>
      <h2>{texts.use.export}</h2>
      <p class="quiet">{texts.use.exportHow}</p>
      <div class="buttons">
        <a class="button" href={path} download={`${name}.zip`}>
          {texts.use.exportWhole}
        </a>
        <a class="button" href={`${path}?images=false`} download={`${name}.zip`}>
          {texts.use.exportWithoutImages}
        </a>
        <a class="button" href={`${path}.faiss.zip`} download={`${name}.faiss.zip`}>
          {texts.use.exportIndex}
        </a>
      </div>
    </section>
  );
}
