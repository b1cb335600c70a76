import { useEffect, useRef, useState } from "preact/hooks";
import { classifierPath, upload } from "../api/upload";
import { Alert } from "../components/alert";
import { Dialog } from "../components/dialog";
import { failureText } from "../components/toasts";
import { goTo } from "../router";
import { texts } from "../texts/texts";
import { importName } from "./import-name";
import { NameField } from "./name-field";

const FILE_TYPE = "application/vnd.handful.classifier+zip";

/** Button that makes a classifier of the file of an export. */
export function ImportClassifier() {
  const input = useRef<HTMLInputElement>(null);
  const [file, setFile] = useState<File | null>(null);
  return (
    <>
      <button type="button" onClick={() => input.current?.click()}>
        {texts.classifiers.importFile}
      </button>
      <input
        ref={input}
        type="file"
        hidden
        accept=".zip,application/zip"
        onChange={(event) => {
          setFile(event.currentTarget.files?.[0] ?? null);
          event.currentTarget.value = "";
        }}
      />
      {file !== null && <ImportDialog file={file} onClose={() => setFile(null)} />}
    </>
  );
}

/** Asks for the name and sends the file. A name that is taken is refused by the service. */
function ImportDialog({ file, onClose }: { file: File; onClose: () => void }) {
  const [share, setShare] = useState<number | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const sending = useRef<AbortController | null>(null);
  useEffect(() => () => sending.current?.abort(), []);
  const start = () => {
    sending.current = new AbortController();
    return sending.current;
  };
  const submit = async (event: Event) => {
    event.preventDefault();
    const name = String(new FormData(event.currentTarget as HTMLFormElement).get("name")).trim();
    const { signal } = start();
    setProblem(null);
    setShare(0);
    try {
      await upload(classifierPath(name, "import"), file, {
        method: "PUT",
        headers: { "content-type": FILE_TYPE },
        onProgress: setShare,
        signal,
      });
      goTo({ page: "classifier", name, tab: "teach" });
    } catch (error) {
      if (signal.aborted) return;
      setShare(null);
      setProblem(failureText(error));
    }
  };
  const isSending = share !== null;
  return (
    <Dialog title={texts.classifiers.importTitle} onClose={onClose}>
      <form onSubmit={submit}>
        <p>
          <bdi>{file.name}</bdi>
        </p>
        <NameField label={texts.classifiers.name} value={importName(file.name)} off={isSending} />
        {/* Once all is sent, the service reads it; nobody knows for how long. */}
        <p role="status">
          {isSending && (
            <>
              <progress
                aria-label={texts.classifiers.importing}
                {...(share < 1 && { value: share })}
              />{" "}
              {share < 1 ? texts.app.percent(share) : texts.classifiers.importing}
            </>
          )}
        </p>
        {problem && <Alert>{problem}</Alert>}
        <div class="actions">
          <button type="button" onClick={onClose}>
            {texts.app.cancel}
          </button>
          <button type="submit" class="primary" disabled={isSending}>
            {texts.classifiers.importSubmit}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
