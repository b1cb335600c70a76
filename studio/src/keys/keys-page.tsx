import { useEffect } from "preact/hooks";
import { allows, session } from "../session/session";
import { texts } from "../texts/texts";
import { Keys } from "./keys-list";
import { Usage } from "./usage";
import "../components/fields.css";
import "./keys.css";

/** Page of what the tenant uses, and for administrators of its keys. */
export function KeysPage() {
  useEffect(() => {
    document.title = `${texts.keys.title} · ${texts.app.name}`;
  }, []);
  const authentication = session.value?.authentication;
  return (
    <>
      <h1>{texts.keys.title}</h1>
      <Usage />
      {allows("admin") &&
        (authentication === "keys" ? (
          <Keys />
        ) : (
          <section>
            <h2>{texts.keys.keys}</h2>
            <p class="quiet">{texts.keys.none[authentication ?? "none"]}</p>
          </section>
        ))}
    </>
  );
}
