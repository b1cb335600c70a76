"""Embeddings of images and texts, for other programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from handful_client._async.concurrency import in_order
from handful_client._async.reading import batches, unlabelled
from handful_client._async.transport import AsyncTransport
from handful_client.batches import Batch, Item, halves, to_send, upload
from handful_client.calls import Query, json_call
from handful_client.errors import HandfulError, InvalidImage, TooLarge
from handful_client.images import AsyncImages
from handful_client.models import EmbeddingsOut, TextsToEmbed

_PATH = ("v1", "embeddings")
# Images of a request, and requests at a time.
_BATCH, _AT_ONCE = 32, 4


class AsyncEmbedder:
    """What a service embeds, whatever its classifiers are."""

    _transport: AsyncTransport

    async def embed(
        self, images: AsyncImages, *, encoding: Literal["float", "base64"] = "float"
    ) -> EmbeddingsOut:
        """Both embeddings of each image, in the order of the images; unit vectors.

        Args:
            images: One or many, as for ``predict_many``.
            encoding: Numbers, or base64 of float32 (little-endian), which is smaller.
        """
        query: Query = {"encoding_format": encoding}

        async def ask(items: Sequence[Item]) -> EmbeddingsOut:
            try:
                call = upload(_PATH, query, items)
                return await self._transport.model(EmbeddingsOut, call)
            except TooLarge as refusal:
                first, second = halves(items, refusal)
                return _joined(await ask(first), await ask(second))

        async def ask_batch(part: Batch) -> EmbeddingsOut:
            return await ask(to_send(part))

        told: EmbeddingsOut | None = None
        async for part in in_order(ask_batch, batches(unlabelled(images), _BATCH), _AT_ONCE):
            told = part if told is None else _joined(told, part)
        if told is None:
            raise InvalidImage("no image was given")
        return told

    async def embed_texts(
        self,
        texts: Sequence[str],
        *,
        templates: Sequence[str] = (),
        encoding: Literal["float", "base64"] = "float",
    ) -> EmbeddingsOut:
        """The embedding of each text, comparable with the frozen embeddings of images.

        Args:
            texts: One request's, within the service's limits.
            templates: Texts with ``{}``, into each of which each text is written.
            encoding: As for ``embed``.
        """
        asked = TextsToEmbed(texts=list(texts), templates=list(templates) or None)
        document = asked.model_dump(exclude_none=True)
        call = json_call("POST", _PATH, document, {"encoding_format": encoding}, reads=True)
        return await self._transport.model(EmbeddingsOut, call)


def _joined(told: EmbeddingsOut, more: EmbeddingsOut) -> EmbeddingsOut:
    """The first with the embeddings of the second.

    Raises:
        HandfulError: They are not comparable.
    """
    if more.fingerprint != told.fingerprint:
        raise HandfulError(
            "the service has moved to other embeddings meanwhile, and those of before are not"
            " comparable with them: embed all images again"
        )
    told.embeddings += more.embeddings
    return told
