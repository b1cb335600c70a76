import { useState } from "preact/hooks";
import { imageUrl, thumbnailUrl } from "../api/pictures";
import type { components } from "../api/schema";
import { shownLabel } from "../classifier/labels";
import { Dialog } from "../components/dialog";
import { texts } from "../texts/texts";

type One = components["schemas"]["EvidenceOut"];

/** Pictures of the classifier that are most like the one that was asked about. */
export function Evidence({ name, evidence }: { name: string; evidence: readonly One[] }) {
  const [open, setOpen] = useState<One | null>(null);
  if (evidence.length === 0) return null;
  return (
    <>
      <section class="evidence">
        <h3>{texts.try.evidence}</h3>
        <ul class="plain evidence-list">
          {evidence.map((one) => (
            <li key={one.image_id}>
              <button type="button" onClick={() => setOpen(one)}>
                <img
                  src={thumbnailUrl(name, one.image_id)}
                  alt=""
                  width={96}
                  height={96}
                  loading="lazy"
                  decoding="async"
                />
                <bdi>{shownLabel(one.label)}</bdi>
                <span class="quiet small">{texts.try.alike(one.similarity)}</span>
              </button>
            </li>
          ))}
        </ul>
      </section>
      {open && (
        <Dialog title={shownLabel(open.label)} onClose={() => setOpen(null)}>
          <img
            class="enlarged"
            src={imageUrl(name, open.label, open.image_id)}
            alt={shownLabel(open.label)}
          />
        </Dialog>
      )}
    </>
  );
}
