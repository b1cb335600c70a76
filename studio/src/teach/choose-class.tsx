import { classes, NEGATIVES } from "../classifier/classifier";
import { shownLabel } from "../classifier/labels";
import { Dialog } from "../components/dialog";
import { texts } from "../texts/texts";

interface Props {
  title: string;
  /** A class that is none of the choices. */
  except?: string;
  /** Whether a class may be one that is not there yet, or the one of what is to be unknown. */
  any?: boolean;
  onChoose: (label: string) => void;
  onClose: () => void;
}

/** Dialog that asks for a class. */
export function ChooseClass({ title, except, any = true, onChoose, onClose }: Props) {
  const labels = classes.value.map((one) => one.label);
  const others = labels.filter((label) => label !== except && label !== NEGATIVES);
  const submit = (event: Event) => {
    event.preventDefault();
    const data = new FormData(event.currentTarget as HTMLFormElement);
    const label = String(data.get("label")).trim();
    if (label) onChoose(label);
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <ul class="choices plain">
        {[...others, ...(any && except !== NEGATIVES ? [NEGATIVES] : [])].map((label) => (
          <li key={label}>
            <button type="button" onClick={() => onChoose(label)}>
              <bdi>{shownLabel(label)}</bdi>
            </button>
          </li>
        ))}
      </ul>
      {any && (
        <form class="row" onSubmit={submit}>
          <label>
            {texts.teach.otherClass}
            <input name="label" required maxLength={255} dir="auto" autocomplete="off" />
          </label>
          <button type="submit">{texts.teach.choose}</button>
        </form>
      )}
    </Dialog>
  );
}
