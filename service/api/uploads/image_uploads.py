"""Image uploads: bare bodies, forms and zips become named images, within the limits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import anyio.to_thread
from starlette.requests import Request

from service.api.image_quota import count_images
from service.api.limiters import Limiters
from service.api.uploads.bodies import body_of, media_type_of
from service.api.uploads.multipart import FormFile, form_files, too_many
from service.archives import Unpacked, open_archive
from service.archives.code_pages import CodePageError
from service.archives.names import decode_names
from service.class_folders import ClassFolderError, read_class_folders
from service.class_folders.droppings import is_image_name, why_skipped
from service.file_reasons import FileReason, listed, members
from service.images.uploaded import UploadedImage
from service.name_validation import checked_label
from service.problems import EmptyUpload, InvalidName, InvalidUpload, UnsupportedMediaType
from service.settings import Settings

ZIP_TYPES = {"application/zip", "application/x-zip-compressed"}


@dataclass(frozen=True, slots=True)
class Upload:
    """The images of a registration.

    Attributes:
        labelled: Each image with its label, in their order.
        skipped: Files that are no images of a class.
    """

    labelled: list[tuple[str, UploadedImage]] = field(default_factory=list)
    skipped: list[FileReason] = field(default_factory=list)


async def read_images(request: Request, settings: Settings) -> list[UploadedImage]:
    """Images of a multipart form, or the one image that is the body.

    Raises:
        UnsupportedMediaType: The body is neither.
        EmptyUpload: There is none.
        InvalidUpload, RequestTooLarge: The body cannot be taken.
    """
    media_type = media_type_of(request)
    if media_type == "multipart/form-data":
        images = [
            UploadedImage.of(_shown(file.filename), file.content)
            for file in await form_files(request, settings)
        ]
    elif media_type.startswith("image/") or media_type in {"", "application/octet-stream"}:
        images = bare_image(await body_of(request))
        await count_images(request.scope, len(images))
        return images
    else:
        raise UnsupportedMediaType(
            f"{_described(media_type)} Send one or many files as multipart/form-data "
            "(curl -F files=@a.jpg -F files=@b.jpg), or one image as the body "
            "(curl --data-binary @a.jpg -H 'content-type: image/jpeg')."
        )
    if not images:
        raise _no_image()
    check_names(images)
    await count_images(request.scope, len(images))
    return images


def bare_image(body: bytes) -> list[UploadedImage]:
    """The one image that a body is.

    Raises:
        EmptyUpload: There is none.
    """
    if not body:
        raise _no_image()
    return [UploadedImage.of("", body)]


def _no_image() -> EmptyUpload:
    return EmptyUpload("Send at least one image file, for instance curl -F files=@a.jpg.")


async def read_class_images(request: Request, settings: Settings, label: str) -> Upload:
    """The images of one class; what is no image by its name is skipped.

    Raises:
        UnsupportedMediaType, EmptyUpload, InvalidUpload, RequestTooLarge: As `read_images`.
    """
    upload = Upload()
    for image in await read_images(request, settings):
        name = image.filename.replace("\\", "/").rpartition("/")[2]
        if name and (reason := why_skipped([name])):
            upload.skipped.append(FileReason(image.filename, reason))
        else:
            upload.labelled.append((label, image))
    check_count(len(upload.labelled), settings)
    if not upload.labelled:
        raise nothing(upload.skipped)
    return upload


async def read_labelled_images(
    request: Request, settings: Settings, encoding: str | None = None
) -> Upload:
    """Images with a folder of their file name as label: a multipart form, a zip, or both.

    Each zip, and the other files of a form together, tells by all its names which folder is the
    label (:func:`service.class_folders.read_class_folders`).

    Args:
        request: Its body is read.
        settings: The limits.
        encoding: Of names that do not say that they are UTF-8.

    Raises:
        UnsupportedMediaType: The body is neither.
        EmptyUpload: There is no image in it.
        InvalidName, InvalidUpload: Names cannot be labels; all the files at fault are named.
        RequestTooLarge: There is too much of it.
    """
    files = await files_and_zips(request, settings)
    upload = await anyio.to_thread.run_sync(
        lambda: labelled(grouped(files, settings, encoding), settings),
        limiter=Limiters.of(request).archives,
    )
    await count_images(request.scope, len(upload.labelled))
    return upload


async def files_and_zips(request: Request, settings: Settings) -> list[FormFile]:
    """Files of a multipart form, zips among them, or the one zip that is the body.

    Raises:
        UnsupportedMediaType, InvalidUpload, RequestTooLarge: As :func:`read_labelled_images`.
    """
    media_type = media_type_of(request)
    if media_type == "multipart/form-data":
        return await form_files(request, settings)
    if media_type in ZIP_TYPES:
        return [FormFile("", "application/zip", await body_of(request))]
    raise UnsupportedMediaType(
        f"{_described(media_type)} Send a zip of LABEL/IMAGE files (curl --data-binary "
        "@support.zip -H 'content-type: application/zip'), or multipart/form-data with the "
        "label as folder of each file name (curl -F 'files=@a.jpg;filename=cat/a.jpg')."
    )


def grouped(
    files: Sequence[FormFile], settings: Settings, encoding: str | None
) -> list[list[UploadedImage]]:
    """The files that are no zips, then those of each zip; each group tells labels by its names.

    Raises:
        InvalidUpload, RequestTooLarge: A zip cannot be taken, or names cannot be decoded.
    """
    unpacked = Unpacked(settings)
    loose = [file for file in files if not _is_zip(file)]
    names = iter(_decoded([file.filename for file in loose], encoding))
    groups = [[UploadedImage.of(next(names), file.content) for file in loose]]
    groups += [
        open_archive(file.content, settings, unpacked, encoding) for file in files if _is_zip(file)
    ]
    return groups


def labelled(groups: Sequence[Sequence[UploadedImage]], settings: Settings) -> Upload:
    """The images with their labels, by :func:`service.class_folders.read_class_folders`.

    Raises:
        EmptyUpload, InvalidName, InvalidUpload, RequestTooLarge: As :func:`read_labelled_images`.
    """
    upload = Upload()
    faults: list[FileReason] = []
    for images in groups:
        try:
            found = read_class_folders([image.filename for image in images])
        except ClassFolderError as error:
            if not error.files:
                raise InvalidUpload(str(error)) from error
            faults += error.files
            continue
        upload.skipped.extend(found.skipped)
        upload.labelled.extend(
            (label, image)
            for label, image in zip(found.labels, images, strict=True)
            if label is not None
        )
    if faults:
        raise InvalidUpload(
            f"{listed(faults)}. Name files LABEL/IMAGE, for instance cat/a.jpg.",
            files=members(faults),
        )
    check_count(len(upload.labelled), settings)
    if not upload.labelled:
        raise nothing(upload.skipped)
    return Upload(_with_checked_labels(upload.labelled), upload.skipped)


def _with_checked_labels(
    labelled: Sequence[tuple[str, UploadedImage]],
) -> list[tuple[str, UploadedImage]]:
    checked: dict[str, str] = {}
    reasons: dict[str, str] = {}
    for label in dict.fromkeys(label for label, _ in labelled):
        try:
            checked[label] = checked_label(label)
        except InvalidName as error:
            reasons[label] = error.detail or ""
    if reasons:
        faults = [
            FileReason(image.filename, reasons[label])
            for label, image in labelled
            if label in reasons
        ]
        messages = list(reasons.values())
        more = f" And {len(messages) - 20} more." if len(messages) > 20 else ""
        raise InvalidName(" ".join(messages[:20]) + more, files=members(faults))
    return [(checked[label], image) for label, image in labelled]


def _is_zip(file: FormFile) -> bool:
    name = file.filename if isinstance(file.filename, str) else file.filename.decode("latin-1")
    if name.lower().endswith(".zip"):
        return True
    return file.media_type in ZIP_TYPES and not is_image_name(name)


def _decoded(names: Sequence[str | bytes], encoding: str | None) -> Iterator[str]:
    try:
        known = iter(decode_names([name for name in names if isinstance(name, bytes)], encoding))
    except CodePageError as error:
        raise InvalidUpload(str(error)) from error
    return (_writable(name) if isinstance(name, str) else next(known) for name in names)


def _shown(name: str | bytes) -> str:
    """A name that is only shown: any reading will do."""
    return _writable(name if isinstance(name, str) else name.decode("latin-1"))


def _writable(name: str) -> str:
    return name.encode(errors="replace").decode()


def check_names(images: Sequence[UploadedImage]) -> None:
    """Names of images can be shown.

    Raises:
        InvalidUpload: Some cannot; all of them are named.
    """
    faults = [
        FileReason(image.filename, f"has the control character U+{ord(control):04X} in its name")
        for image in images
        if (control := next((c for c in image.filename if c < " " or "\x7f" <= c < "\xa0"), None))
        and not why_skipped([image.filename])
    ]
    if faults:
        raise InvalidUpload(
            f"{listed(faults)}. Give files names that can be read.",
            files=members(faults),
        )


def nothing(skipped: Sequence[FileReason]) -> EmptyUpload:
    """The refusal of an upload without images."""
    if not skipped:
        return EmptyUpload("There is no image in the upload.")
    return EmptyUpload(
        f"There is no image in the upload: {listed(skipped)}.",
        files=members(skipped),
    )


def _described(media_type: str) -> str:
    """What is wrong with a body of a type that is not taken."""
    if media_type == "application/json" or media_type.endswith("+json"):
        return (
            f"The body is {media_type!r}. Here images are not sent in JSON, but as the bytes of "
            "their files."
        )
    return f"The body is {media_type!r}."


def check_count(count: int, settings: Settings) -> None:
    """There are not too many images.

    Raises:
        RequestTooLarge: There are.
    """
    if count > settings.max_images_per_request:
        raise too_many(settings)
