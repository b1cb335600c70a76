import { root } from "../api/root";
import { classifierPath } from "../api/upload";
import { Alert } from "../components/alert";
import { texts } from "../texts/texts";
import { faults } from "./judging";
import type { Remembered } from "./merge";

/** More classes have no number key, and are found by their name. */
export const MOST_NUMBERED = 9;

interface Props {
  name: string;
  item: Remembered;
}

/** One remembered query, large, with its answer. */
export function InboxDetail({ name, item }: Props) {
  const said = texts.review;
  const fault = faults.value.get(item.id);
  return (
    <div class="inbox-detail">
      {item.has_picture ? (
        <img
          class="inbox-picture"
          key={item.id}
          src={root + classifierPath(name, "inbox", item.id, "image")}
          alt={item.filename || said.picture}
        />
      ) : (
        <p class="quiet">{said.noPictureKept}</p>
      )}
      <div>
        {fault && <Alert>{fault}</Alert>}
        <p class="inbox-answer" aria-live="polite">
          {item.known ? (
            <>
              {said.answer} <b dir="auto">{item.label}</b>, {texts.app.percent(item.probability)}
            </>
          ) : (
            <>
              {said.answer} <b>{texts.app.unknown}</b>; {said.nearest}{" "}
              <b dir="auto">{item.label}</b>, {texts.app.percent(item.probability)}
            </>
          )}
        </p>
        <ul class="plain candidates">
          {item.candidates.map((one) => (
            <li key={one.label}>
              <span class="candidate">
                <bdi>{one.label}</bdi>
              </span>
              <span class="bar" aria-hidden="true">
                <i style={{ width: `${100 * one.probability}%` }} />
              </span>
              <span class="count">{texts.app.percent(one.probability)}</span>
            </li>
          ))}
        </ul>
        <p class="quiet small">
          {said.why[item.why]} {said.askedAt(new Date(item.asked_at))}
          {item.filename && (
            <>
              {" · "}
              <bdi>{item.filename}</bdi>
            </>
          )}
        </p>
      </div>
    </div>
  );
}
