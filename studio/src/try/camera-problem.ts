import { texts } from "../texts/texts";

/** Why there is no camera, in words that say what to do about it. */
export function cameraProblem(error: unknown): string {
  const name = error instanceof DOMException ? error.name : "";
  if (name === "NotSupportedError") return texts.try.camera.insecure;
  if (name === "NotAllowedError" || name === "SecurityError") return texts.try.camera.denied;
  if (name === "NotFoundError" || name === "OverconstrainedError") return texts.try.camera.none;
  return texts.try.camera.broken;
}
