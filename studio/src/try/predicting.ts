import type { components } from "../api/schema";
import { classifierPath, upload } from "../api/upload";
import { classifier } from "../classifier/classifier";
import { session } from "../session/session";
import { texts } from "../texts/texts";

export type Prediction = components["schemas"]["PredictionOut"];
type Predictions = components["schemas"]["PredictionsOut"];
type Embeddings = components["schemas"]["EmbeddingsOut"];

interface Asked {
  candidates: number;
  evidence: number;
  onProgress?: (share: number) => void;
}

/** Asks what a picture is.
 *
 * @throws Problem - It was refused.
 */
export async function predict(name: string, picture: Blob, asked: Asked): Promise<Prediction> {
  const headers = { "content-type": mediaTypeOf(picture) };
  const { onProgress } = asked;
  return only(await upload<Predictions>(pathOf(name, asked), picture, { headers, onProgress }));
}

/** Asks what a picture is that no inbox is to remember: a frame of a film, ten a second, or a picture
 * that was asked about before.
 *
 * What is remembered are pictures, so it is asked by its embedding, where anything remembers and
 * the key is for more than some classifiers.
 */
export async function predictUnremembered(
  name: string,
  picture: Blob,
  asked: Asked,
): Promise<Prediction> {
  if (classifier.value?.remember === "none" || session.value?.classifiers) {
    return predict(name, picture, asked);
  }
  const embeddings = await upload<Embeddings>("/v1/embeddings?encoding_format=base64", picture, {
    headers: { "content-type": mediaTypeOf(picture) },
    onProgress: asked.onProgress,
  });
  const { fingerprint } = embeddings;
  const images = embeddings.embeddings.map((embedding) => ({ embedding, fingerprint }));
  const query = new Blob([JSON.stringify({ images })], { type: "application/json" });
  const headers = { "content-type": "application/json" };
  return only(await upload<Predictions>(pathOf(name, asked), query, { headers }));
}

/** What a picture is sent as: anything else could be taken for a zip, which is a job. */
export function mediaTypeOf(file: Blob): string {
  return file.type.startsWith("image/") ? file.type : "application/octet-stream";
}

function pathOf(name: string, { candidates, evidence }: Asked): string {
  return `${classifierPath(name, "predict")}?top_k=${candidates}&evidence=${evidence}`;
}

function only({ predictions }: Predictions): Prediction {
  const first = predictions[0];
  if (!first) throw new Error(texts.try.noAnswer);
  return first;
}
