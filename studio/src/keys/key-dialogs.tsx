import type { ComponentChildren } from "preact";
import { useId, useRef, useState } from "preact/hooks";
import { api, body } from "../api/client";
import { Alert } from "../components/alert";
import { CopyButton } from "../components/copy-button";
import { Dialog } from "../components/dialog";
import { failureText, tellFailure } from "../components/toasts";
import { session } from "../session/session";
import { texts } from "../texts/texts";
import { type Key, type NewKey, SCOPES, type Scope, termsOf } from "./keys";

interface Making {
  onMade: (key: NewKey) => void;
  onEnd: () => void;
}

/** Asks for the terms of a key and makes it. */
export function MakeKey({ onMade, onEnd }: Making) {
  const [scopes, setScopes] = useState<Scope[]>(["read", "predict"]);
  const [problem, setProblem] = useState<string | null>(null);
  const rule = useId();
  const toggle = (scope: Scope) =>
    setScopes(scopes.includes(scope) ? scopes.filter((one) => one !== scope) : [...scopes, scope]);
  const submit = async (event: Event) => {
    event.preventDefault();
    const terms = termsOf(new FormData(event.currentTarget as HTMLFormElement), Date.now());
    try {
      onMade(body(await api.POST("/v1/keys", { body: terms })));
    } catch (error) {
      setProblem(failureText(error));
    }
  };
  return (
    <Dialog title={texts.keys.make} onClose={onEnd}>
      <form onSubmit={submit}>
        <label>
          {texts.keys.name}
          <input name="name" maxLength={255} dir="auto" autocomplete="off" />
        </label>
        <fieldset class="plain">
          <legend>{texts.keys.mayDo}</legend>
          {SCOPES.map((scope) => (
            <label class="choice" key={scope}>
              <input
                type="checkbox"
                name="scope"
                value={scope}
                checked={scopes.includes(scope)}
                onChange={() => toggle(scope)}
              />
              <span>{texts.keys.scope[scope]}</span>
            </label>
          ))}
        </fieldset>
        {!scopes.includes("admin") && (
          <label>
            {texts.keys.classifiers}
            <input
              name="classifiers"
              autocomplete="off"
              spellcheck={false}
              aria-describedby={rule}
            />
            <span class="quiet small field-rule" id={rule}>
              {texts.keys.classifiersRule}
            </span>
          </label>
        )}
        <label>
          {texts.keys.expires}
          <select name="days">
            {[0, 1, 30, 90, 365].map((days) => (
              <option key={days} value={days}>
                {texts.keys.inDays(days)}
              </option>
            ))}
          </select>
        </label>
        {session.value?.operates && (
          <label>
            {texts.keys.ofTenant}
            <input name="tenant" maxLength={64} autocomplete="off" spellcheck={false} />
          </label>
        )}
        <Ending problem={problem} onEnd={onEnd}>
          <button type="submit" class="primary" disabled={scopes.length === 0}>
            {texts.keys.makeSubmit}
          </button>
        </Ending>
      </form>
    </Dialog>
  );
}

/** Replaces a key by another one on the same terms. */
export function RotateKey({ one, onMade, onEnd }: Making & { one: Key }) {
  const [problem, setProblem] = useState<string | null>(null);
  const submit = async (event: Event) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    const query = { grace_seconds: Number(form.get("grace")) };
    const params = { path: { key_id: one.id }, query };
    try {
      onMade(body(await api.POST("/v1/keys/{key_id}/rotate", { params })));
    } catch (error) {
      setProblem(failureText(error));
    }
  };
  return (
    <Dialog title={texts.keys.rotateOf(one.name || one.id)} onClose={onEnd}>
      <p>{texts.keys.rotateHow}</p>
      <form onSubmit={submit}>
        <label>
          {texts.keys.grace}
          <select name="grace">
            {[86_400, 3600, 604_800, 0].map((seconds) => (
              <option key={seconds} value={seconds}>
                {texts.keys.inSeconds(seconds)}
              </option>
            ))}
          </select>
        </label>
        <Ending problem={problem} onEnd={onEnd}>
          <button type="submit" class="primary">
            {texts.keys.rotateSubmit}
          </button>
        </Ending>
      </form>
    </Dialog>
  );
}

/** Asks whether a key is to end, and ends it. */
export function RevokeKey({ one, onEnd }: { one: Key; onEnd: () => void }) {
  const isOwn = session.value?.key_id === one.id;
  const revoke = () =>
    api
      .DELETE("/v1/keys/{key_id}", { params: { path: { key_id: one.id } } })
      .catch(tellFailure)
      .then(onEnd);
  return (
    <Dialog title={texts.keys.revokeOf(one.name || one.id)} onClose={onEnd}>
      <p>{texts.keys.revokeQuestion}</p>
      {isOwn && <p class="notice bad">{texts.keys.revokeOwn}</p>}
      <Ending problem={null} onEnd={onEnd}>
        <button type="button" class="danger" onClick={revoke}>
          {texts.keys.revoke}
        </button>
      </Ending>
    </Dialog>
  );
}

/** A new key, shown this once. */
export function NewKeyShown({ one, onEnd }: { one: NewKey; onEnd: () => void }) {
  const source = useRef<HTMLPreElement>(null);
  return (
    <Dialog title={texts.keys.newKey} onClose={onEnd}>
      <p>{texts.keys.shownOnce}</p>
      <pre ref={source} class="new-key" dir="ltr">
        {one.key}
      </pre>
      <div class="actions">
        <CopyButton text={one.key} label={texts.keys.newKey} source={source} />
        <button type="button" class="primary" onClick={onEnd}>
          {texts.keys.kept}
        </button>
      </div>
    </Dialog>
  );
}

interface EndingProps {
  problem: string | null;
  onEnd: () => void;
  children: ComponentChildren;
}

function Ending({ problem, onEnd, children }: EndingProps) {
  return (
    <>
      {problem && <Alert>{problem}</Alert>}
      <div class="actions">
        <button type="button" onClick={onEnd}>
          {texts.app.cancel}
        </button>
        {children}
      </div>
    </>
  );
}
