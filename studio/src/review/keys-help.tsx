import { Dialog } from "../components/dialog";
import { texts } from "../texts/texts";

/** The keys of the page. */
export function KeysHelp({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title={texts.review.keys} onClose={onClose}>
      <dl class="key-list">
        {texts.review.keyList.map(([keys, what]) => (
          <div key={keys}>
            <dt>
              <kbd>{keys}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
