import { texts } from "../texts/texts";

interface Props {
  label: string;
  value?: string;
  off?: boolean;
}

/** Field for the name of a new classifier. */
export function NameField({ label, value, off = false }: Props) {
  return (
    <label>
      {label}
      <input
        name="name"
        required
        maxLength={64}
        pattern="[A-Za-z0-9][A-Za-z0-9._\-]*"
        title={texts.classifiers.nameRule}
        placeholder={texts.classifiers.name}
        defaultValue={value}
        readOnly={off}
        autocomplete="off"
        spellcheck={false}
      />
    </label>
  );
}
