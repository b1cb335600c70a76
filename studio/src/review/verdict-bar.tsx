import { texts } from "../texts/texts";
import { MOST_NUMBERED } from "./inbox-detail";

interface Props {
  labels: string[];
  /** For how many pictures a verdict goes. */
  n: number;
  isAllowed: boolean;
  onName: (label: string) => void;
  onConfirm: () => void;
  onReject: () => void;
  onForget: () => void;
  onSearch: () => void;
}

/** What can be said of the picture or of the selected ones, each with its key. */
export function VerdictBar(props: Props) {
  const { labels, n, isAllowed } = props;
  const said = texts.review;
  return (
    <fieldset class="verdicts">
      <legend>{said.sayOf(n)}</legend>
      <button type="button" class="primary" disabled={!isAllowed} onClick={props.onConfirm}>
        <kbd>Enter</kbd> {said.confirm}
      </button>
      <div class="class-buttons">
        {labels.slice(0, MOST_NUMBERED).map((label, at) => (
          <button
            type="button"
            key={label}
            disabled={!isAllowed}
            onClick={() => props.onName(label)}
          >
            <kbd>{at + 1}</kbd> <bdi>{label}</bdi>
          </button>
        ))}
        {labels.length > MOST_NUMBERED && (
          <button type="button" disabled={!isAllowed} onClick={props.onSearch}>
            <kbd>/</kbd> {said.moreClasses(labels.length - MOST_NUMBERED)}
          </button>
        )}
      </div>
      <div class="class-buttons">
        <button type="button" disabled={!isAllowed} onClick={props.onReject}>
          <kbd>0</kbd> {said.reject}
        </button>
        <button type="button" class="danger" disabled={!isAllowed} onClick={props.onForget}>
          <kbd>Del</kbd> {said.forget}
        </button>
      </div>
    </fieldset>
  );
}
