import { root } from "./root";
import { classifierPath } from "./upload";

/** Address of the small picture of a support image, which the service makes and keeps. */
export function thumbnailUrl(classifier: string, imageId: string): string {
  return root + classifierPath(classifier, "images", imageId, "thumbnail");
}

/** Address of a support image as it was uploaded. */
export function imageUrl(classifier: string, label: string, imageId: string): string {
  return root + classifierPath(classifier, "classes", label, "images", imageId);
}

/** Address of the small picture of a remembered query. */
export function inboxThumbnailUrl(classifier: string, id: string): string {
  return root + classifierPath(classifier, "inbox", id, "thumbnail");
}
