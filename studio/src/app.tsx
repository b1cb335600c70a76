import type { ComponentType } from "preact";
import { useEffect } from "preact/hooks";
import { root } from "./api/root";
import { classifier, failure, follow } from "./classifier/classifier";
import { useUndoKeys } from "./classifier/undo-keys";
import { ClassifiersPage } from "./classifiers/classifiers-page";
import { Alert } from "./components/alert";
import { failureText, Toasts, tellFailure } from "./components/toasts";
import { KeysPage } from "./keys/keys-page";
import { ReviewPage } from "./review/review-page";
import { goTo, linkTo, place, TABS, type Tab } from "./router";
import { LogInPage } from "./session/log-in-page";
import { allows, logOut, session } from "./session/session";
import { TeachPage } from "./teach/teach-page";
import { texts } from "./texts/texts";
import { TryPage } from "./try/try-page";
import { UnderstandPage } from "./understand/understand-page";
import { UsePage } from "./use/use-page";

const PAGES: Record<Tab, ComponentType<{ name: string }>> = {
  teach: TeachPage,
  try: TryPage,
  review: ReviewPage,
  understand: UnderstandPage,
  use: UsePage,
};

export function App() {
  const who = session.value;
  return (
    <>
      <button type="button" class="skip" onClick={skip}>
        {texts.app.skip}
      </button>
      <Header />
      <main id="content" tabIndex={-1}>
        {who === null ? (
          <p class="quiet">{texts.app.loading}</p>
        ) : who.signed_in ? (
          <Page />
        ) : (
          <LogInPage />
        )}
      </main>
      <Toasts />
    </>
  );
}

/** A button and not a link: the fragment is the router's. */
function skip(): void {
  document.getElementById("content")?.focus();
}

function Header() {
  const who = session.value;
  return (
    <header class="top">
      <a class="brand" href={linkTo({ page: "classifiers" })}>
        <span class="mark" aria-hidden="true" /> {texts.app.name}
      </a>
      <nav aria-label={texts.app.name}>
        {who?.signed_in && (
          <>
            <a href={linkTo({ page: "classifiers" })}>{texts.app.classifiers}</a>
            {allows("read") && <a href={linkTo({ page: "keys" })}>{texts.app.keys}</a>}
          </>
        )}
        <a href={`${root}/docs`}>{texts.app.documentation}</a>
        {who?.signed_in && who.csrf_token !== null && (
          <button type="button" class="link" onClick={() => logOut().catch(tellFailure)}>
            {texts.app.logOut}
          </button>
        )}
      </nav>
    </header>
  );
}

function Page() {
  const at = place.value;
  if (at.page === "keys") return <KeysPage />;
  if (at.page === "classifiers") return <ClassifiersPage />;
  return <ClassifierPage key={at.name} name={at.name} tab={at.tab} />;
}

function ClassifierPage({ name, tab }: { name: string; tab: Tab }) {
  useEffect(() => follow(name), [name]);
  useUndoKeys(name);
  useEffect(() => {
    document.title = `${name} · ${texts.tabs[tab]} · ${texts.app.name}`;
  }, [name, tab]);
  const Shown = PAGES[tab];
  return (
    <>
      <div class="classifier-head">
        <h1>
          <bdi>{name}</bdi>
        </h1>
        <nav class="tabs" aria-label={texts.tabs.label}>
          {TABS.map((one) => (
            <a
              key={one}
              href={linkTo({ page: "classifier", name, tab: one })}
              aria-current={one === tab ? "page" : undefined}
            >
              {texts.tabs[one]}
            </a>
          ))}
        </nav>
      </div>
      {failure.value && (
        <Alert>
          {failureText(failure.value)}{" "}
          {failure.value.status === 404 && (
            <button type="button" class="link" onClick={() => goTo({ page: "classifiers" })}>
              {texts.app.classifiers}
            </button>
          )}
        </Alert>
      )}
      {classifier.value ? (
        <Shown name={name} />
      ) : (
        !failure.value && <p class="quiet">{texts.app.loading}</p>
      )}
    </>
  );
}
