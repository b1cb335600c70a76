"""Predicting for images in JSON; the encoder is asked only where embeddings are lacking."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from adapters.embeddings import ImageEmbeddings
from service.api.json_images.embedding import embedded_queries
from service.api.json_images.items import Item
from service.api.offloading import run_blocking
from service.api.predicting import Answer, written_answer
from service.api.recipes import embedded_for
from service.composition import ServiceParts
from service.encoding.image_embedder import Wait
from service.images.uploaded import UploadedImage
from service.registry.live import LiveClassifier
from service.registry.query_batching import check_rows


async def predicted_items(
    parts: ServiceParts,
    name: str,
    read: Callable[[], Awaitable[Sequence[Item]]],
    top_k: int,
    evidence: int,
    wait: Wait,
) -> bytes:
    """Answer the queries of a request; as :func:`service.api.predicting.predicted`.

    Args:
        parts: What answers.
        name: The classifier's.
        read: Reads the images, one or more, once the classifier is known to be there.
        top_k: Candidates for each image.
        evidence: Support images named for each.
        wait: Waits for the embeddings; when it raises, what is not begun is not done.

    Raises as :func:`service.api.json_images.embedding.embedded_queries`, too.
    """
    asked = await run_blocking(parts.registry.live, name)
    items = await read()
    check_rows(asked, len(items), top_k, evidence)

    async def embedded(live: LiveClassifier) -> ImageEmbeddings:
        return await embedded_queries(parts, items, name, live.fingerprint, wait)

    live, queries = await embedded_for(parts, name, embedded)
    window = live.window
    predictions = await parts.answering.predict(live, queries, top_k, evidence)
    content = await written_answer(name, Answer(predictions, window.seen(predictions)))
    if live.settings.remember != "none":
        for i, item in enumerate(items):  # of others there is no picture that could be looked at
            if isinstance(item, UploadedImage):
                parts.remembering.offer(live, [item], queries[i : i + 1], [predictions[i]])
    return content
