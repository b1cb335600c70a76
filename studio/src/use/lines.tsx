import type { ComponentChildren } from "preact";
import { useId, useRef, useState } from "preact/hooks";
import { root } from "../api/root";
import { classes, NEGATIVES } from "../classifier/classifier";
import { CopyButton } from "../components/copy-button";
import { Tabs } from "../components/tabs";
import { linkTo } from "../router";
import { allows, session } from "../session/session";
import { texts } from "../texts/texts";
import { LANGUAGES, snippets } from "./snippets";

/** Lines to copy that ask the classifier from another program. */
export function Lines({ name }: { name: string }) {
  const labels = classes.value.map((one) => one.label).filter((one) => one !== NEGATIVES);
  const [wanted, setWanted] = useState<string | null>(null);
  const label =
    wanted !== null && labels.includes(wanted) ? wanted : (labels[0] ?? texts.use.label);
  const needsKey = session.value?.authentication === "keys";
  const target = { service: window.location.origin + root, classifier: name, label, needsKey };
  return (
    <section>
      <h2>{texts.use.title}</h2>
      <p class="quiet">{texts.use.how}</p>
      {needsKey && (
        <p>
          {texts.use.key}{" "}
          {allows("admin") && <a href={linkTo({ page: "keys" })}>{texts.use.toKeys}</a>}
        </p>
      )}
      {session.value?.authentication === "proxy" && <p>{texts.use.proxy}</p>}
      <Tabs label={texts.use.languages} names={LANGUAGES} titles={texts.use.language}>
        {(language) => {
          const { predict, register } = snippets[language](target);
          return (
            <>
              <p class="quiet small">{texts.use.needs[language]}</p>
              <Snippet title={texts.use.predict} text={predict} />
              <Snippet title={texts.use.register} text={register}>
                {labels.length > 1 && (
                  <label class="of-class">
                    {texts.use.ofClass}
                    <select
                      value={label}
                      onChange={(event) => setWanted(event.currentTarget.value)}
                    >
                      {labels.map((one) => (
                        <option key={one} value={one}>
                          {one}
                        </option>
                      ))}
                    </select>
                  </label>
                )}
              </Snippet>
            </>
          );
        }}
      </Tabs>
    </section>
  );
}

interface SnippetProps {
  title: string;
  text: string;
  children?: ComponentChildren;
}

function Snippet({ title, text, children }: SnippetProps) {
  const source = useRef<HTMLPreElement>(null);
  const id = useId();
  return (
    <div class="snippet">
      <div class="snippet-head">
        <h3 id={id}>{title}</h3>
        {children}
        <CopyButton text={text} label={title} source={source} />
      </div>
      {/* biome-ignore lint/a11y/useSemanticElements: lines of a program, in the element for them */}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached */}
      <pre ref={source} tabIndex={0} aria-labelledby={id} role="region" dir="ltr">
        {text}
      </pre>
    </div>
  );
}
