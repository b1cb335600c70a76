"""``/v1/classifiers/{name}/export`` and ``/import``: a classifier as one file, there and back."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from service.api.conditional_requests import ChangingParts
from service.api.deadlines import deadline_or_disconnect
from service.api.dependencies import Name, ReadyParts
from service.api.limiters import Limiters
from service.api.middleware.bytes_in_flight import account_of
from service.api.offloading import run_blocking, run_change_with_texts
from service.api.openapi.media_types import binary
from service.api.openapi.responses import (
    CLASSIFIER_NOT_FOUND,
    IMAGE_PROBLEMS,
    Responses,
    change_problems,
    classifier_problems,
    created,
)
from service.api.routes.classifiers import classifier_shown
from service.api.schemas.classifiers import ClassifierOut
from service.api.uploads.image_uploads import ZIP_TYPES
from service.composition import ServiceParts
from service.encoding.file_images import embed_images
from service.exchange import ReadLimits, file_pieces, no_content, read_classifier
from service.exchange.streamed_zip import PIECE, streamed_zip
from service.problems import (
    ClassifierExists,
    ClassifierNotFound,
    EmptyUpload,
    ImportedBackbone,
    InvalidSettings,
    Overloaded,
    PromptsNotFound,
    UnsupportedMediaType,
)
from service.registry.exporting import contents_in_order, exported
from service.registry.importing import Import, has_to_be_embedded
from service.registry.index_file import write_index_files
from service.storage.fingerprints import Origin
from service.storage.records import StoredClassifier
from service.tenancy import bare

router = APIRouter(prefix="/v1/classifiers/{name}", tags=["export and import"])

# Of a file that is sent; a directory of so many members is read in a second.
_MOST_IMAGES = 100_000
FILE_TYPE = "application/vnd.handful.classifier+zip"
"""Media type of a classifier's file; it is taken as an ordinary zip, too."""

_ZIP = "application/zip"
_FILE: Responses = {200: {"content": {FILE_TYPE: binary(FILE_TYPE)}, "description": "The file"}}
_INDEX: Responses = {
    200: {"content": {_ZIP: binary(_ZIP)}, "description": "The index and its labels"}
}
_TOO_MUCH = Overloaded("The requests that are being received and worked on take all the bytes ...")


@router.get(
    "/export",
    summary="Export a classifier as one file",
    response_class=Response,
    responses=classifier_problems(CLASSIFIER_NOT_FOUND, _TOO_MUCH) | _FILE,
)
async def export_classifier(
    name: Name,
    parts: ReadyParts,
    request: Request,
    images: Annotated[
        bool,
        Query(description="Whether the images go along, which another backbone needs."),
    ] = True,
) -> Response:
    """Settings, classes, embeddings and tuning, and the images that were kept.

    A zip of JSON and safetensors, without pickle. PUT it to `.../import` of this service or another
    one, or read it in Python with `handful.Classifier.load`.
    """
    stored = await _stored(name, parts, request)

    content = contents_in_order(parts.store, stored) if images else no_content

    def pieces() -> Iterator[bytes]:  # in a thread, from the first on
        yield from file_pieces(exported(stored, _origin(stored, parts)), content)

    return await _attachment(pieces(), FILE_TYPE, f"{bare(name)}.zip")


@router.get(
    "/export.faiss.zip",
    summary="Export the keys of a classifier as a FAISS index",
    response_class=Response,
    responses=classifier_problems(CLASSIFIER_NOT_FOUND, _TOO_MUCH) | _INDEX,
)
async def export_index(name: Name, parts: ReadyParts, request: Request) -> Response:
    """A zip of `index.faiss`, for `faiss.read_index`, and `labels.json`, which tells its ids.

    An exhaustive index of inner products (`IndexFlatIP` under an id map) over the embeddings by
    which the classifier compares images.
    """
    stored = await _stored(name, parts, request)
    return await _attachment(
        _index_pieces(stored, _origin(stored, parts)), _ZIP, f"{bare(name)}.faiss.zip"
    )


@router.put(
    "/import",
    summary="Create a classifier from a file",
    responses=created(ClassifierOut)
    | change_problems(
        ClassifierExists("land-cover"),
        ImportedBackbone(
            "The file holds embeddings of the backbone lite (0b54...), which cannot..."
        ),
        InvalidSettings("classifier.json: settings.coverage: Input should be less than 1 ..."),
        PromptsNotFound("satellite"),
        *IMAGE_PROBLEMS,
    ),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {FILE_TYPE: binary(FILE_TYPE)},
        }
    },
)
async def import_classifier(
    name: Name, parts: ChangingParts, request: Request, response: Response
) -> ClassifierOut:
    """The file of an export, under any name that is free; all of it or nothing.

    With the same backbone it answers as the one that was exported, bit for bit. With another one
    its images are embedded anew, if the file holds all of them. Where the classifier of that name
    is the one in the file already, that is answered with 200.
    """
    body = await _zip_body(request)
    limits = ReadLimits(
        classes=parts.settings.max_classes,
        images=_MOST_IMAGES,
        image_bytes=parts.settings.max_image_bytes,
    )
    file = await anyio.to_thread.run_sync(
        read_classifier, body, limits, limiter=Limiters.of(request).archives
    )
    held = file.classifier.embeddings
    account_of(request).take(held.frozen.nbytes + held.corrected.nbytes)
    fingerprint = await run_blocking(parts.registry.fingerprint_of, name, file.classifier.settings)
    anew = has_to_be_embedded(file, parts.backbone, fingerprint)
    made = False
    if not await run_blocking(parts.registry.imports.is_there, name, file):
        embedded = None
        if anew:
            wait = deadline_or_disconnect(request)
            embedded = await embed_images(file, parts.embedder.of(fingerprint), name, wait)
        made = await run_change_with_texts(
            request,
            parts,
            parts.registry.imports.create,
            name,
            Import(file=file, embedded=embedded, fingerprint=fingerprint),
        )
    response.status_code = 201 if made else 200
    return await classifier_shown(name, parts)


async def _stored(name: str, parts: ServiceParts, request: Request) -> StoredClassifier:
    """A classifier as it is in the database, which the request holds until its end.

    Raises:
        ClassifierNotFound: There is none of that name.
        Overloaded: There is no room for it now.
    """
    stored = await anyio.to_thread.run_sync(
        parts.store.load, name, limiter=Limiters.of(request).reports
    )
    if stored is None:
        raise ClassifierNotFound(name)
    embeddings = stored.embeddings
    account_of(request).take(embeddings.frozen.nbytes + embeddings.corrected.nbytes)
    return stored


def _origin(stored: StoredClassifier, parts: ServiceParts) -> Origin:
    return parts.store.origin(stored.record.fingerprint)


async def _attachment(pieces: Iterator[bytes], media_type: str, filename: str) -> Response:
    first = await run_blocking(next, pieces)  # what fails at once is told as a problem
    return StreamingResponse(
        itertools.chain([first], pieces),
        media_type=media_type,
        headers={
            "content-disposition": f'attachment; filename="{filename}"',
            "cache-control": "no-cache",
        },
    )


def _index_pieces(stored: StoredClassifier, origin: Origin) -> Iterator[bytes]:
    with TemporaryDirectory(prefix="handful-") as folder:
        index, labels = Path(folder) / "index.faiss", Path(folder) / "labels.json"
        write_index_files(stored, origin, index, labels)
        yield from streamed_zip((path.name, _parts(path)) for path in (index, labels))


def _parts(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while part := file.read(PIECE):
            yield part


async def _zip_body(request: Request) -> io.BytesIO:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in {FILE_TYPE, *ZIP_TYPES}:
        raise UnsupportedMediaType(
            f"The body is {media_type!r}. Send the file of an export (curl -T FILE.zip -H"
            f" 'content-type: {FILE_TYPE}')."
        )
    body = io.BytesIO()
    async for chunk in request.stream():
        body.write(chunk)
    if not body.tell():
        raise EmptyUpload("The body is empty. Send the file of an export: curl -T FILE.zip ...")
    return body
