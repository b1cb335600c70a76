import { useEffect, useRef, useState } from "preact/hooks";
import { api, body } from "../api/client";
import type { Classifier } from "../classifier/classifier";
import { Alert } from "../components/alert";
import { Dialog } from "../components/dialog";
import { failureText, tellFailure } from "../components/toasts";
import { goTo, linkTo } from "../router";
import { allows } from "../session/session";
import { texts } from "../texts/texts";
import { ImportClassifier } from "./import-classifier";
import { NameField } from "./name-field";

const A_PAGE = 60;

/** Page of all classifiers: find one, make one, delete one. */
export function ClassifiersPage() {
  const [prefix, setPrefix] = useState("");
  const [listed, setListed] = useState<Classifier[] | null>(null);
  const [cursor, setCursor] = useState<string | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [doomed, setDoomed] = useState<string | null>(null);
  const asked = useRef(0);
  const load = async (from: string | null) => {
    const nth = ++asked.current;
    const query = { limit: A_PAGE, ...(prefix && { prefix }), ...(from && { cursor: from }) };
    const page = body(await api.GET("/v1/classifiers", { params: { query } }));
    // Answers may overtake each other while somebody types.
    if (nth !== asked.current) return;
    setListed((before) => [...(from && before ? before : []), ...page.classifiers]);
    setCursor(page.next_cursor ?? null);
    setProblem(null);
  };
  useEffect(() => {
    document.title = `${texts.classifiers.title} · ${texts.app.name}`;
  }, []);
  useEffect(() => {
    load(null).catch((error) => setProblem(failureText(error)));
  }, [prefix]);
  return (
    <>
      <h1>{texts.classifiers.title}</h1>
      {allows("write") && (
        <div class="row">
          <NewClassifier />
          <ImportClassifier />
        </div>
      )}
      {(prefix || (listed && (cursor || listed.length > 12))) && (
        <input
          type="search"
          class="find"
          aria-label={texts.classifiers.find}
          placeholder={texts.classifiers.find}
          value={prefix}
          onInput={(event) => setPrefix(event.currentTarget.value)}
        />
      )}
      {problem && <Alert>{problem}</Alert>}
      {listed === null && !problem && <p class="quiet">{texts.app.loading}</p>}
      {listed?.length === 0 && !prefix && <p class="quiet">{texts.classifiers.none}</p>}
      <ul class="cards plain">
        {listed?.map((one) => (
          <li class="card" key={one.name}>
            <a
              class="card-link"
              href={linkTo({ page: "classifier", name: one.name, tab: "teach" })}
            >
              <b>
                <bdi>{one.name}</bdi>
              </b>
              <span class="quiet">
                {texts.app.classes(one.n_classes)} · {texts.app.pictures(one.n_images)}
              </span>
              {one.problem && (
                <span class="bad-text" dir="auto">
                  {one.problem}
                </span>
              )}
            </a>
            {allows("write") && (
              <button
                type="button"
                class="icon"
                aria-label={texts.classifiers.remove(one.name)}
                onClick={() => setDoomed(one.name)}
              >
                ×
              </button>
            )}
          </li>
        ))}
      </ul>
      {cursor && (
        <button type="button" onClick={() => load(cursor).catch(tellFailure)}>
          {texts.classifiers.more}
        </button>
      )}
      {doomed !== null && (
        <Deletion
          name={doomed}
          onEnd={() => {
            setDoomed(null);
            load(null).catch(tellFailure);
          }}
        />
      )}
    </>
  );
}

function NewClassifier() {
  const [problem, setProblem] = useState<string | null>(null);
  const submit = async (event: Event) => {
    event.preventDefault();
    const name = String(new FormData(event.currentTarget as HTMLFormElement).get("name")).trim();
    try {
      await api.PUT("/v1/classifiers/{name}", {
        params: { path: { name }, header: { "if-none-match": "*" } },
        body: {},
      });
      goTo({ page: "classifier", name, tab: "teach" });
    } catch (error) {
      setProblem(failureText(error));
    }
  };
  return (
    <form class="row" onSubmit={submit} aria-label={texts.classifiers.create}>
      <NameField label={texts.classifiers.create} />
      <button type="submit" class="primary">
        {texts.classifiers.submit}
      </button>
      {problem && <Alert>{problem}</Alert>}
    </form>
  );
}

function Deletion({ name, onEnd }: { name: string; onEnd: () => void }) {
  const [busy, setBusy] = useState(false);
  const remove = () => {
    setBusy(true);
    api
      .DELETE("/v1/classifiers/{name}", { params: { path: { name } } })
      .catch(tellFailure)
      .then(onEnd);
  };
  return (
    <Dialog title={texts.classifiers.remove(name)} onClose={onEnd}>
      <p dir="auto">{texts.classifiers.removeQuestion(name)}</p>
      <div class="actions">
        <button type="button" onClick={onEnd}>
          {texts.app.cancel}
        </button>
        <button type="button" class="danger" disabled={busy} onClick={remove}>
          {texts.classifiers.removeSubmit}
        </button>
      </div>
    </Dialog>
  );
}
