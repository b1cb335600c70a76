import { useEffect, useRef, useState } from "preact/hooks";
import { shownLabel } from "../classifier/labels";
import { Alert } from "../components/alert";
import { closeCamera, frameOf, openCamera } from "../components/camera";
import { tellFailure } from "../components/toasts";
import { texts } from "../texts/texts";
import { Recording } from "./recording";
import type { Teaching } from "./teaching";

const LONGEST_SIDE = 640;

interface Props {
  teaching: Teaching;
  label: string;
  onClose: () => void;
}

/** The webcam, whose pictures go to a class while a button is held. */
export function CameraPanel({ teaching, label, onClose }: Props) {
  const video = useRef<HTMLVideoElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const recording = useRef<Recording | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [live, setLive] = useState(false);
  const [held, setHeld] = useState(false);
  const [taken, setTaken] = useState(0);
  const said = texts.teach.camera;
  const release = useRef<(() => void) | null>(null);
  const begin = () => {
    if (!live || release.current) return;
    release.current = teaching.uploads.hold();
    recording.current?.begin();
    setHeld(true);
  };
  const end = () => {
    const over = release.current;
    release.current = null;
    void recording.current?.end().then(() => over?.());
    setHeld(false);
  };
  useEffect(() => {
    let stream: MediaStream | null = null;
    let closed = false;
    openCamera().then(
      async (opened) => {
        stream = opened;
        if (closed || video.current === null) closeCamera(stream);
        else {
          video.current.srcObject = stream;
          await video.current.play().catch(() => undefined);
          setLive(true);
        }
      },
      (error) => setProblem(error.name === "NotSupportedError" ? said.unsafe : said.none),
    );
    recording.current = new Recording(
      () => frameOf(video.current as HTMLVideoElement, LONGEST_SIDE),
      (files) => {
        teaching.uploads.add(label, files);
        setTaken((before) => before + files.length);
      },
      tellFailure,
    );
    return () => {
      closed = true;
      end();
      closeCamera(stream);
    };
  }, []);
  useEffect(() => {
    // The button that opened this is gone, and the focus with it.
    if (live && document.activeElement === document.body) button.current?.focus();
  }, [live]);
  const isPress = (event: KeyboardEvent) => event.key === " " || event.key === "Enter";
  return (
    <div class="camera">
      {problem ? (
        <Alert>{problem}</Alert>
      ) : (
        <>
          <video ref={video} muted playsInline aria-label={said.picture(shownLabel(label))} />
          <button
            ref={button}
            type="button"
            class={held ? "primary held" : "primary"}
            disabled={!live}
            onPointerDown={(event) => {
              if (event.button !== 0) return;
              event.currentTarget.setPointerCapture(event.pointerId);
              begin();
            }}
            onPointerUp={end}
            onPointerCancel={end}
            onContextMenu={(event) => event.preventDefault()}
            onKeyDown={(event) => {
              if (!isPress(event)) return;
              event.preventDefault();
              if (!event.repeat) begin();
            }}
            onKeyUp={(event) => isPress(event) && end()}
            onBlur={end}
          >
            {held ? said.recording : said.hold}
          </button>
        </>
      )}
      <span class="quiet small" role="status">
        {taken > 0 ? said.taken(taken) : live && said.one}
      </span>
      <button type="button" onClick={onClose}>
        {said.close}
      </button>
    </div>
  );
}
