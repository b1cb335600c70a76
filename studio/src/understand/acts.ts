import { api, body } from "../api/client";
import { change } from "../classifier/undo";
import { tellFailure } from "../components/toasts";
import { texts } from "../texts/texts";
import { settle } from "./report";

/** A support image as lists and maps name it. */
export interface Picture {
  image_id: string;
  label: string;
  filename?: string;
}

/** Moves pictures to another class; they are settled once that is done. */
export async function move(name: string, pictures: Picture[], to: string): Promise<void> {
  const images = pictures.map((one) => one.image_id);
  await act(name, images, texts.understand.moved(images.length, to), async () =>
    body(
      await api.POST("/v1/classifiers/{name}/images/move", {
        params: { path: { name } },
        body: { images, to },
      }),
    ),
  );
}

/** Deletes pictures; they are settled once that is done. */
export async function remove(name: string, pictures: Picture[]): Promise<void> {
  const images = pictures.map((one) => one.image_id);
  await act(name, images, texts.understand.removed(images.length), async () =>
    body(
      await api.POST("/v1/classifiers/{name}/images/delete", {
        params: { path: { name } },
        body: { images },
      }),
    ),
  );
}

async function act(
  name: string,
  images: string[],
  text: string,
  request: () => Promise<unknown>,
): Promise<void> {
  try {
    await change(name, text, request);
    settle(images);
  } catch (error) {
    tellFailure(error);
  }
}
