"""Pools: images to choose among, with or without folders that are their labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import anyio.to_thread
from starlette.requests import Request

from service.api.image_quota import count_images
from service.api.limiters import Limiters
from service.api.uploads.image_uploads import (
    check_count,
    check_names,
    files_and_zips,
    grouped,
    labelled,
    nothing,
)
from service.class_folders import ClassFolderError, read_class_folders
from service.class_folders.droppings import why_skipped
from service.file_reasons import FileReason
from service.images.uploaded import UploadedImage
from service.problems import InvalidName, InvalidUpload
from service.settings import Settings

_OTHERWISE = "If folders are no labels here, ask with folders=false."


@dataclass(frozen=True, slots=True)
class Pool:
    """Images to choose among.

    Attributes:
        images: In their order.
        labels: Of each image; None where names of files tell none, or should not.
        skipped: Files that are no images.
    """

    images: list[UploadedImage]
    labels: list[str] | None
    skipped: list[FileReason]


async def read_pool(
    request: Request, settings: Settings, encoding: str | None, *, folders: bool
) -> Pool:
    """Images of a multipart form, a zip, or both; labelled if they lie in folders.

    Args:
        request: Its body is read.
        settings: The limits.
        encoding: Of names that do not say that they are UTF-8.
        folders: Whether folders are labels.

    Raises:
        UnsupportedMediaType: The body is neither.
        EmptyUpload: There is no image in it.
        InvalidName, InvalidUpload: Names cannot be labels; all the files at fault are named.
        RequestTooLarge: There is too much of it.
    """
    files = await files_and_zips(request, settings)

    def read() -> Pool:
        groups = grouped(files, settings, encoding)
        if not folders or all(map(_is_flat, groups)):
            return _unlabelled([image for group in groups for image in group], settings)
        try:
            upload = labelled(groups, settings)
        except (InvalidName, InvalidUpload) as problem:
            raise type(problem)(f"{problem.detail} {_OTHERWISE}", **problem.extras) from problem
        return Pool(
            [image for _, image in upload.labelled],
            [label for label, _ in upload.labelled],
            upload.skipped,
        )

    pool = await anyio.to_thread.run_sync(read, limiter=Limiters.of(request).archives)
    await count_images(request.scope, len(pool.images))
    return pool


def _is_flat(images: Sequence[UploadedImage]) -> bool:
    """Whether none of the images lies in a folder."""
    try:
        found = read_class_folders([image.filename for image in images])
    except ClassFolderError as error:
        return error.is_flat
    return not any(found.labels)


def _unlabelled(files: Sequence[UploadedImage], settings: Settings) -> Pool:
    images: list[UploadedImage] = []
    skipped: list[FileReason] = []
    for file in files:
        name = file.filename.replace("\\", "/")
        if name and (reason := why_skipped(name.split("/"))):
            skipped.append(FileReason(file.filename, reason))
        else:
            images.append(file)
    check_count(len(images), settings)
    if not images:
        raise nothing(skipped)
    check_names(images)
    return Pool(images, None, skipped)
