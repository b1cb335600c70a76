import { api } from "../api/client";
import { asProblem } from "../api/problem";
import type { components } from "../api/schema";
import { classifierPath, upload } from "../api/upload";
import { NEGATIVES } from "../classifier/classifier";
import { change } from "../classifier/undo";
import { texts } from "../texts/texts";
import { mediaTypeOf } from "./predicting";
import { put, type Trial, trials } from "./trials";

/** Registers a picture under a label; the answer is asked for again as the change is seen.
 *
 * @throws Problem - It was refused.
 */
export async function correct(name: string, trial: Trial, label: string): Promise<void> {
  const said = label === NEGATIVES ? texts.try.undoNegative : texts.try.undoLabel(label);
  const image = await change(name, said, () => register(name, trial, label));
  const { before, after, id } = image;
  const wasOne = image.status === "duplicate";
  put(trial.id, { correction: { label: image.label, imageId: id, wasOne, before, after } });
}

/** Forgets that a picture is an example, where it is none any more, as after an undo. */
export async function forgetIfUndone(name: string, trialId: number): Promise<void> {
  const correction = trials.value.find((one) => one.id === trialId)?.correction;
  if (!correction) return;
  const path = { name, label: correction.label, image_id: correction.imageId };
  try {
    // Asked for its notes, which are less than its bytes.
    await api.GET("/v1/classifiers/{name}/classes/{label}/images/{image_id}/annotations", {
      params: { path },
    });
  } catch (error) {
    if (asProblem(error).status === 404) put(trialId, { correction: null });
  }
}

async function register(name: string, trial: Trial, label: string) {
  const path = `${classifierPath(name, "classes", label, "images")}?predict=true&wait=tuned`;
  const form = new FormData();
  form.append("files", new File([trial.file], trial.name, { type: mediaTypeOf(trial.file) }));
  type Answer = components["schemas"]["RegistrationOut"];
  const [image] = (await upload<Answer>(path, form)).images;
  if (!image) throw new Error(texts.try.noAnswer);
  return image;
}
