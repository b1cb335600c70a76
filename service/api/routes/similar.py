"""``/v1/classifiers/{name}/similar``: the support images nearest to a picture, or to a text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from torch import Tensor

from adapters.embeddings import View
from service.api.deadlines import RequestTimeout, query_deadline
from service.api.dependencies import Name, ReadyParts
from service.api.embedded_texts import embedded_texts
from service.api.image_quota import count_images
from service.api.json_documents import refusal
from service.api.json_images.embedding import embedded_queries
from service.api.json_images.items import Item
from service.api.json_images.reading import is_json, items_of, labels_of, read_one_of
from service.api.json_images.receiving import fetched
from service.api.large_json import large_json
from service.api.offloading import run_blocking
from service.api.openapi.media_types import SIMILAR_BODY
from service.api.openapi.responses import (
    CLASSIFIER_NOT_FOUND,
    IMAGE_PROBLEMS,
    ITEM_PROBLEMS,
    classifier_problems,
)
from service.api.recipes import embedded_for
from service.api.schemas.similar import SimilarImageOut, SimilarOut, SimilarToImage, SimilarToText
from service.api.uploads.image_uploads import read_images
from service.problems import DeadlineExceeded, InvalidUpload
from service.registry.live import LiveClassifier
from service.registry.similar import Cursor, Neighbour, Page, page_of_similar
from service.tenancy import bare

router = APIRouter(prefix="/v1/classifiers/{name}", tags=["predictions"])


@router.post(
    "/similar",
    summary="Find similar support images",
    response_model=SimilarOut,
    responses=classifier_problems(
        CLASSIFIER_NOT_FOUND,
        *IMAGE_PROBLEMS,
        *ITEM_PROBLEMS,
        DeadlineExceeded("There was no answer within 0.5 s, and it is not worked on any more..."),
    ),
    openapi_extra=SIMILAR_BODY,
)
async def similar(
    name: Name,
    parts: ReadyParts,
    request: Request,
    limit: Annotated[int, Query(ge=1, le=1000, description="Most images of a page.")] = 10,
    cursor: Annotated[
        str | None,
        Query(
            pattern=r"^-?[0-9]{1,7}\.[0-9a-f]{32}$",
            description="`next_cursor` of the page before; with the same image or text.",
            examples=["811204.0b54c1a2f6e84bb0b6c5d1f6b7a3a9f1"],
        ),
    ] = None,
    request_timeout: RequestTimeout = None,
) -> Response:
    """The support images nearest to an image by the corrected embedding, page by page.

    Send one image as for a prediction, or `{"text": "..."}` to find images of what it says, by the
    frozen embedding. It is compared with every image, negatives (`not-these`) among them.
    """
    wait = query_deadline(request, parts.settings, request_timeout)
    live = await run_blocking(parts.registry.live, name)
    view: View = "corrected"
    query: Tensor
    asked = await read_one_of(request, _model) if is_json(request) else None
    if isinstance(asked, SimilarToText):
        view = "frozen"
        await count_images(request.scope, 1)  # a text costs what an image does
        text, templates = asked.text, asked.templates

        async def of_text(asked: LiveClassifier) -> Tensor:
            prompts = None if asked.settings.prompts is None else asked.fingerprint
            return await embedded_texts(parts, [text], templates, name, wait, prompts)

        live, query = await embedded_for(parts, name, of_text)
    else:
        items: list[Item]
        if asked is None:
            items = [*await read_images(request, parts.settings)]
        else:
            await labels_of(asked.images)
            items = await fetched(request, parts, items_of(asked.images, parts.settings))
        if len(items) != 1:
            raise InvalidUpload(
                f"{len(items)} images were sent, and one is looked for at a time. Send one."
            )

        async def embedded(asked: LiveClassifier) -> Tensor:
            rows = await embedded_queries(parts, items, name, asked.fingerprint, wait)
            return rows.corrected

        live, query = await embedded_for(parts, name, embedded)
    after = None if cursor is None else Cursor.read(cursor)

    def found() -> Page:
        return page_of_similar(live.snapshot(), query, view, limit, after)

    page = await run_blocking(found)
    fields = {
        "classifier": bare(name),
        "compared_by": view,
        "total": page.total,
        "next_cursor": None if page.following is None else str(page.following),
    }
    return await large_json(fields, "images", page.neighbours, _shown)


def _model(document: Mapping[str, Any]) -> type[SimilarToImage] | type[SimilarToText]:
    if ("text" in document) == ("images" in document):
        raise refusal([((), "has to have exactly one of images and text")])
    return SimilarToText if "text" in document else SimilarToImage


def _shown(neighbour: Neighbour) -> SimilarImageOut:
    return SimilarImageOut.model_construct(
        image_id=neighbour.record.public_id,
        label=neighbour.label,
        filename=neighbour.record.filename,
        similarity=neighbour.similarity,
    )
