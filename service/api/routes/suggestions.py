"""``POST /v1/classifiers/{name}/suggest``: which images of a pool to register next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import anyio.to_thread
import torch
from fastapi import APIRouter, Query, Request, Response

from adapters.embeddings import ImageEmbeddings
from service.api.deadlines import deadline_or_disconnect
from service.api.dependencies import Name, ReadyParts
from service.api.large_json import large_json
from service.api.limiters import Limiters
from service.api.offloading import run_blocking
from service.api.openapi.media_types import POOL_BODY
from service.api.openapi.responses import CLASSIFIER_NOT_FOUND, IMAGE_PROBLEMS, classifier_problems
from service.api.recipes import embedded_for
from service.api.schemas.predictions import EvidenceOut
from service.api.schemas.suggestions import (
    DuplicateOut,
    PredictedLabelOut,
    SuggestionOut,
    SuggestionsOut,
)
from service.api.schemas.support_set import SkippedFile
from service.api.uploads.content_disposition import FileNameEncoding
from service.api.uploads.pools import Pool, read_pool
from service.composition import ServiceParts
from service.name_validation import NOT_THESE
from service.problems import AnswerTooLarge, InvalidUpload, NoClasses
from service.registry.live import LiveClassifier
from service.registry.snapshot import Snapshot
from service.suggestions.pool_suggestions import (
    NearestSupport,
    class_numbers,
    suggest,
)

router = APIRouter(prefix="/v1/classifiers/{name}", tags=["suggestions"])


@router.post(
    "/suggest",
    summary="Which images of a pool to register next",
    response_model=SuggestionsOut,
    responses=classifier_problems(
        CLASSIFIER_NOT_FOUND,
        *IMAGE_PROBLEMS,
        AnswerTooLarge("The prediction sets of 400 images would hold more than 100000 labels..."),
        InvalidUpload("The folders do not tell the classes: ... ask with folders=false."),
    ),
    openapi_extra=POOL_BODY,
)
async def suggest_images(
    name: Name,
    parts: ReadyParts,
    request: Request,
    n: Annotated[
        int,
        Query(
            ge=1,
            le=1000,
            description="How many images to suggest: of each class where folders tell the classes,"
            " of the whole pool where not.",
        ),
    ] = 5,
    folders: Annotated[
        bool,
        Query(
            description="Whether folders in the names of files are classes, as for `/support`."
            " One folder around all files, with another name than any class, is none either way."
        ),
    ] = True,
    filename_encoding: Annotated[
        FileNameEncoding | None,
        Query(
            description="Encoding of file names that are not UTF-8; found out where it can be"
            " told.",
            examples=["shift_jis"],
        ),
    ] = None,
) -> Response:
    """The images that stand for the others of a pool best, beside those that are registered.

    Send images without labels, to find out which of them to label; or images in folders of their
    classes, to find out which of them to register. At a few images a class it matters more which
    ones they are than which head reads them. Nothing is registered or changed.
    """
    await run_blocking(parts.registry.live, name)
    pool = await read_pool(request, parts.settings, filename_encoding, folders=folders)
    wait = deadline_or_disconnect(request)
    live, embedded = await embedded_for(
        parts,
        name,
        lambda own: parts.embedder.register(pool.images, name, wait, own.fingerprint),
    )

    def chosen() -> _Chosen:
        embeddings = ImageEmbeddings.concatenate([image.embeddings for image in embedded])
        return _choose(live.snapshot(), pool, embeddings, n)

    found = await anyio.to_thread.run_sync(chosen, limiter=Limiters.of(request).suggestions)
    predicted = await _predicted(parts, live, found.embeddings)
    fields = {
        "classifier": name,
        "labelled": found.labelled,
        "n_images": len(pool.images),
        "duplicates": found.duplicates,
        "skipped": [SkippedFile.model_validate(file) for file in pool.skipped],
    }
    return await large_json(
        fields,
        "suggestions",
        zip(found.suggested, predicted, strict=True),
        lambda row: SuggestionOut(**row[0], predicted=row[1]),
    )


@dataclass(frozen=True, slots=True)
class _Chosen:
    """What was chosen, by name.

    Attributes:
        labelled: Whether the classes of the pool's images are known.
        suggested: All of each suggestion but what it is taken for.
        embeddings: Of those images.
        duplicates: Images that are registered.
    """

    labelled: bool
    suggested: list[dict[str, Any]]
    embeddings: ImageEmbeddings
    duplicates: list[DuplicateOut]


def _choose(state: Snapshot, pool: Pool, embeddings: ImageEmbeddings, n: int) -> _Chosen:
    labels = class_numbers(pool.labels, {one.label: one.id for one in state.records.values()})
    support, images = state.support, state.images
    if state.negatives is not None:  # what is registered is, as what it may be
        support = support.with_added(state.negatives)
        images = {**images, **state.negative_images}
    found = suggest(embeddings.corrected, labels, support.embeddings.corrected, support.labels, n)
    label_of = {one.id: one.label for one in state.records.values()}

    def evidence(nearest: NearestSupport) -> dict[str, Any]:
        record = images[int(support.ids[nearest.row])]
        return {
            "image_id": record.public_id,
            "label": label_of.get(record.class_id, NOT_THESE),
            "similarity": nearest.similarity,
        }

    def file(position: int) -> dict[str, Any]:
        return {"filename": pool.images[position].filename, "position": position}

    return _Chosen(
        labelled=labels is not None,
        suggested=[
            {
                **file(one.position),
                "label": None if labels is None else _label(pool, one.position),
                "gain": one.gain,
                "coverage": one.coverage,
                "nearest": None if one.nearest is None else EvidenceOut(**evidence(one.nearest)),
            }
            for one in found.suggested
        ],
        embeddings=embeddings[torch.tensor([one.position for one in found.suggested]).long()],
        duplicates=[
            DuplicateOut(**file(one.position), **evidence(one.nearest)) for one in found.registered
        ],
    )


def _label(pool: Pool, position: int) -> str | None:
    return None if pool.labels is None else pool.labels[position]


async def _predicted(
    parts: ServiceParts, live: LiveClassifier, images: ImageEmbeddings
) -> list[PredictedLabelOut | None]:
    """What each image is taken for; None where there is no class to choose from."""
    if not len(images):
        return []
    try:
        predictions = await parts.answering.predict(live, images, 1, 0)
    except NoClasses:
        return [None] * len(images)
    return [
        PredictedLabelOut(
            label=one.top_k[0].label, probability=one.top_k[0].probability, known=one.known
        )
        for one in predictions
    ]
