import { useEffect, useState } from "preact/hooks";
import { api, body } from "../api/client";
import { tellFailure } from "../components/toasts";
import { session } from "../session/session";
import { texts } from "../texts/texts";
import { MakeKey, NewKeyShown, RevokeKey, RotateKey } from "./key-dialogs";
import { endOf, inOrder, type Key, type NewKey, SCOPES, stateOf } from "./keys";

type Open =
  | { what: "make" }
  | { what: "rotate"; key: Key }
  | { what: "revoke"; key: Key }
  | { what: "new"; key: NewKey };

/** Keys of the tenant, of all tenants for operators; and what can be done with them. */
export function Keys() {
  const [keys, setKeys] = useState<Key[] | null>(null);
  const [open, setOpen] = useState<Open | null>(null);
  const load = async () => setKeys(body(await api.GET("/v1/keys")).keys);
  useEffect(() => {
    load().catch(tellFailure);
  }, []);
  const onEnd = () => {
    setOpen(null);
    load().catch(tellFailure);
  };
  const onMade = (key: NewKey) => setOpen({ what: "new", key });
  const now = Date.now();
  return (
    <>
      <section class="key-list">
        <div class="snippet-head">
          <h2>{texts.keys.keys}</h2>
          <button type="button" class="primary" onClick={() => setOpen({ what: "make" })}>
            {texts.keys.make}
          </button>
        </div>
        {keys === null && <p class="quiet">{texts.app.loading}</p>}
        <ul class="plain">
          {keys &&
            inOrder(keys, now).map((key) => (
              <li key={key.id} class={stateOf(key, now) === "valid" ? undefined : "ended"}>
                <Terms one={key} now={now} />
                {stateOf(key, now) === "valid" && (
                  <div class="actions">
                    <button
                      type="button"
                      aria-label={texts.keys.rotateOf(key.name || key.id)}
                      onClick={() => setOpen({ what: "rotate", key })}
                    >
                      {texts.keys.rotate}
                    </button>
                    <button
                      type="button"
                      class="danger"
                      aria-label={texts.keys.revokeOf(key.name || key.id)}
                      onClick={() => setOpen({ what: "revoke", key })}
                    >
                      {texts.keys.revoke}
                    </button>
                  </div>
                )}
              </li>
            ))}
        </ul>
      </section>
      {open?.what === "make" && <MakeKey onMade={onMade} onEnd={onEnd} />}
      {open?.what === "rotate" && <RotateKey one={open.key} onMade={onMade} onEnd={onEnd} />}
      {open?.what === "revoke" && <RevokeKey one={open.key} onEnd={onEnd} />}
      {open?.what === "new" && <NewKeyShown one={open.key} onEnd={onEnd} />}
    </>
  );
}

function Terms({ one, now }: { one: Key; now: number }) {
  const state = stateOf(one, now);
  const end = endOf(one);
  const who = session.value;
  const scopes = SCOPES.filter((scope) => one.scopes.includes(scope));
  return (
    <div class="key-terms">
      <p>
        <b>
          <bdi>{one.name || texts.keys.unnamed}</bdi>
        </b>{" "}
        <code>{one.id}</code>
        {who?.key_id === one.id && <span class="key-mark">{texts.keys.yours}</span>}
        <span class={`key-mark ${state}`}>{texts.keys.state[state]}</span>
      </p>
      <p class="quiet small">
        {texts.keys.may(scopes.map((scope) => texts.keys.scopeShort[scope]))}{" "}
        {one.classifiers === null ? (
          texts.keys.ofAll
        ) : (
          <>
            {texts.keys.of} <bdi>{one.classifiers.join(", ")}</bdi>
          </>
        )}
        {who?.operates && one.tenant !== null && (
          <>
            {" · "}
            {texts.keys.tenant} <bdi>{one.tenant}</bdi>
          </>
        )}
      </p>
      <p class="quiet small">
        {texts.keys.made} {day(one.created_at)}
        {" · "}
        {one.used_at === null ? texts.keys.unused : `${texts.keys.lastUsed} ${moment(one.used_at)}`}
        {end !== null &&
          ` · ${state === "valid" ? texts.keys.ends : texts.keys.ended} ${moment(end)}`}
      </p>
    </div>
  );
}

function day(time: string): string {
  return new Date(time).toLocaleDateString(undefined, { dateStyle: "medium" });
}

function moment(time: string): string {
  return new Date(time).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}
