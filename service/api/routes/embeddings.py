"""``/v1/embeddings``: embeddings of images and texts."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from torch import Tensor

from adapters.embeddings import ImageEmbeddings
from service.access.principal import principal_of
from service.api.deadlines import RequestTimeout, query_deadline
from service.api.dependencies import ReadyParts
from service.api.embedded_texts import embedded_texts
from service.api.image_quota import count_images
from service.api.json_documents import refusal
from service.api.json_images.embedding import embedded_queries
from service.api.json_images.embedding_rows import encoded_row
from service.api.json_images.items import Item
from service.api.json_images.reading import inputs_of, is_json, items_of, labels_of, read_one_of
from service.api.json_images.receiving import fetched
from service.api.large_json import large_json
from service.api.middleware.bytes_in_flight import account_of
from service.api.offloading import run_blocking
from service.api.openapi.media_types import EMBEDDED_BODY
from service.api.openapi.responses import (
    CLASSIFIER_NOT_FOUND,
    IMAGE_PROBLEMS,
    ITEM_PROBLEMS,
    classifier_problems,
)
from service.api.schemas.embeddings import (
    EmbeddedOut,
    EmbeddingsOut,
    EncodingFormat,
    ImagesToEmbed,
    OpenAIEmbedding,
    OpenAIEmbeddingsOut,
    OpenAIImages,
    OpenAITexts,
    OpenAIUsage,
    TextsToEmbed,
)
from service.api.schemas.images import Strict
from service.api.uploads.image_uploads import check_count, read_images
from service.composition import ServiceParts
from service.encoding.image_embedder import Wait
from service.encoding.recipes import RecipeGone
from service.problems import DeadlineExceeded, InvalidName, ModelNotFound, OtherFingerprint
from service.tenancy import qualified

router = APIRouter(prefix="/v1", tags=["embeddings"])

# Under which its requests take turns with those of classifiers, none of which can be called so.
_KEY = ".embeddings"
_HANDFUL = "handful"
# Bytes that a number takes in an answer, at most: as JSON, and in base64.
_BYTES = {"float": 24, "base64": 6}
_MODELS: Mapping[str, type[Strict]] = {"images": ImagesToEmbed, "texts": TextsToEmbed}


@router.post(
    "/embeddings",
    summary="Embed images or texts",
    response_model=EmbeddingsOut | OpenAIEmbeddingsOut,
    responses=classifier_problems(
        CLASSIFIER_NOT_FOUND,
        InvalidName("images[0].label: '..' cannot be a label: slashes, '.' and '..' mean folders."),
        ModelNotFound("There is no model 'text-embedding-3-small'; this service has 'handful'."),
        *IMAGE_PROBLEMS,
        *(one for one in ITEM_PROBLEMS if not isinstance(one, OtherFingerprint)),
        DeadlineExceeded("There was no answer within 0.5 s, and it is not worked on any more..."),
    ),
    openapi_extra=EMBEDDED_BODY,
)
async def embed(
    parts: ReadyParts,
    request: Request,
    encoding_format: Annotated[
        EncodingFormat,
        Query(
            description="Whether embeddings are numbers, or base64 of float32 (little-endian). In"
            " OpenAI's shape the body says it.",
        ),
    ] = "float",
    request_timeout: RequestTimeout = None,
) -> Response:
    """Both embeddings of each image, or the embedding of each text; unit vectors.

    Send images as for predictions, or JSON: `{"images": [...]}`, `{"texts": [...]}`, or in the
    shape of OpenAI's API `{"model": "handful", "input": [...]}`, with `"modality": "image"` for
    images as data URIs; that is answered in OpenAI's shape, with the frozen embeddings.
    """
    key = qualified(principal_of(request.scope).tenant, _KEY)
    wait = query_deadline(request, parts.settings, request_timeout)
    embed = _Embedding(parts, request, key, wait)
    if not is_json(request):
        images: list[Item] = [*await read_images(request, parts.settings)]
        return await _own(embed, *await embed.images(images), encoding_format)
    asked = await read_one_of(request, _model)
    if isinstance(asked, TextsToEmbed):
        await count_images(request.scope, len(asked.texts))  # texts cost what images do
        rows = await embedded_texts(parts, asked.texts, asked.templates, key, wait)
        return await _own(embed, rows, None, parts.store.fingerprint, encoding_format)
    if isinstance(asked, ImagesToEmbed):
        check_count(len(asked.images), parts.settings)
        await labels_of(asked.images)  # nobody looks at them, but they have to be some
        items = items_of(asked.images, parts.settings)
        return await _own(embed, *await embed.images(items), encoding_format)
    if isinstance(asked, OpenAIImages):
        _check_model(asked.model, parts)
        check_count(len(asked.input), parts.settings)
        frozen, _, fingerprint = await embed.images(inputs_of(asked.input, parts.settings))
        return await _as_openai(embed, frozen, fingerprint, 0, asked.encoding_format)
    if isinstance(asked, OpenAITexts):
        _check_model(asked.model, parts)
        await count_images(request.scope, len(asked.input))
        rows = await embedded_texts(parts, asked.input, (), key, wait)
        tokens = sum(await run_blocking(parts.backbone.text_lengths, asked.input))
        fingerprint = parts.store.fingerprint
        return await _as_openai(embed, rows, fingerprint, tokens, asked.encoding_format)
    raise TypeError(type(asked))


class _Embedding:
    """What embeds the images of one request."""

    def __init__(self, parts: ServiceParts, request: Request, key: str, wait: Wait) -> None:
        self.parts = parts
        self.request = request
        self._key = key
        self._wait = wait

    async def images(self, items: list[Item]) -> tuple[Tensor, Tensor, str]:
        """Both embeddings of images, and the fingerprint of the recipe."""
        items = await fetched(self.request, self.parts, items)
        while True:
            fingerprint = self.parts.store.fingerprint
            try:
                rows: ImageEmbeddings = await embedded_queries(
                    self.parts, items, self._key, fingerprint, self._wait
                )
            except RecipeGone:  # the database has just moved to another one
                continue
            return rows.frozen, rows.corrected, fingerprint


def _model(document: Mapping[str, Any]) -> type[Strict]:
    given = [name for name in (*_MODELS, "input") if name in document]
    if len(given) != 1:
        raise refusal([((), "has to have exactly one of images, texts and input")])
    if given != ["input"]:
        return _MODELS[given[0]]
    return OpenAIImages if document.get("modality") == "image" else OpenAITexts


def _check_model(name: str, parts: ServiceParts) -> None:
    own = parts.backbone.name
    if name not in (_HANDFUL, own):
        raise ModelNotFound(
            f"There is no model {name!r}; this service has {_HANDFUL!r}, which is {own!r}."
        )


async def _own(
    embed: _Embedding,
    frozen: Tensor,
    corrected: Tensor | None,
    fingerprint: str,
    encoding: EncodingFormat,
) -> Response:
    backbone = embed.parts.backbone
    fields = {
        "model": backbone.name,
        "fingerprint": fingerprint,
        "width": backbone.width,
        "corrected_width": backbone.corrected_width,
    }

    def made(row: int) -> EmbeddedOut:
        write = _WRITERS[encoding]
        both = None if corrected is None else write(corrected[row])
        return EmbeddedOut.model_construct(frozen=write(frozen[row]), corrected=both)

    numbers = frozen.numel() + (0 if corrected is None else corrected.numel())
    account_of(embed.request).take(_BYTES[encoding] * numbers)
    return await large_json(fields, "embeddings", range(len(frozen)), made)


async def _as_openai(
    embed: _Embedding, rows: Tensor, fingerprint: str, tokens: int, encoding: EncodingFormat
) -> Response:
    fields = {
        "object": "list",
        "model": embed.parts.backbone.name,
        "fingerprint": fingerprint,
        "usage": OpenAIUsage(prompt_tokens=tokens, total_tokens=tokens),
    }

    def made(row: int) -> OpenAIEmbedding:
        return OpenAIEmbedding.model_construct(index=row, embedding=_WRITERS[encoding](rows[row]))

    account_of(embed.request).take(_BYTES[encoding] * rows.numel())
    return await large_json(fields, "data", range(len(rows)), made)


def _numbers(row: Tensor) -> list[float]:
    numbers: list[float] = row.tolist()
    return numbers


def _base64(row: Tensor) -> str:
    return base64.b64encode(encoded_row(row.numpy())).decode()


_WRITERS: Mapping[EncodingFormat, Callable[[Tensor], list[float] | str]] = {
    "float": _numbers,
    "base64": _base64,
}
