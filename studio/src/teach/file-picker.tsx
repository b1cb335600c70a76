import { useRef } from "preact/hooks";
import { type DroppedFile, readChosen } from "../components/dropped-files";

interface Props {
  text: string;
  /** Name for whoever does not see what is around. */
  label?: string;
  kind?: "pictures" | "folder" | "zip";
  onFiles: (files: DroppedFile[]) => void;
}

/** Button that opens the browser's dialog of files. */
export function FilePicker({ text, label, kind = "pictures", onFiles }: Props) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <button type="button" aria-label={label} onClick={() => input.current?.click()}>
        {text}
      </button>
      <input
        ref={input}
        type="file"
        hidden
        multiple
        accept={kind === "zip" ? ".zip,application/zip" : "image/*,.heic,.heif,.avif"}
        {...(kind === "folder" && { webkitdirectory: true })}
        onChange={(event) => {
          const files = event.currentTarget.files;
          if (files) onFiles(readChosen(files));
          event.currentTarget.value = "";
        }}
      />
    </>
  );
}
