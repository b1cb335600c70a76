"""The images of a classifier's file, embedded by the backbone of this service."""

from __future__ import annotations

from functools import partial

from service.encoding.image_embedder import ImageEmbedder, Wait
from service.exchange import ClassifierFile, ExportedImage
from service.images.embedded import EmbeddedImage
from service.images.uploaded import UploadedImage


async def embed_images(
    file: ClassifierFile, embedder: ImageEmbedder, classifier: str, wait: Wait
) -> dict[str, EmbeddedImage]:
    """Embed each distinct image of a file, all of which it holds, as a registration.

    Args:
        file: Open.
        embedder: Whose backbone it is to be imported for.
        classifier: Its name, from now on.
        wait: Waits for them; when it raises, what is not begun is not done.

    Returns:
        The images by their SHA-256.

    Raises as :meth:`ImageEmbedder.register`.
    """
    first: dict[str, ExportedImage] = {}
    for image in file.classifier.images or ():
        first.setdefault(image.sha256, image)
    views = file.classifier.settings.support_views
    images = [
        UploadedImage(f"{image.label}/{image.filename}", partial(file.content, sha256))
        for sha256, image in first.items()
    ]
    if not images:
        return {}
    embedded = await embedder.register(images, classifier, wait, views)
    return {one.sha256: one for one in embedded}
