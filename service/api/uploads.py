"""Taking apart what a client uploads, within the limits of the settings."""

from __future__ import annotations

import io
import zipfile
from pathlib import PurePosixPath

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from service.api.names import checked_label
from service.images.embedding import UploadedImage
from service.problems import (
    EmptyUpload,
    ImageTooLarge,
    InvalidUpload,
    RequestTooLarge,
    UnsupportedMediaType,
)
from service.settings import Settings

ZIP_TYPES = {"application/zip", "application/x-zip-compressed"}


async def read_images(request: Request, settings: Settings) -> list[UploadedImage]:
    """Images of a multipart form, or the one image that is the body.

    Raises:
        UnsupportedMediaType: The body is neither.
        EmptyUpload: There is none.
        InvalidUpload, RequestTooLarge, ImageTooLarge: The body cannot be taken.
    """
    media_type = _media_type(request)
    if media_type == "multipart/form-data":
        images = await _form_files(request, settings)
    elif media_type.startswith("image/") or media_type in {"", "application/octet-stream"}:
        body = await request.body()
        images = [UploadedImage("", body)] if body else []
    else:
        raise UnsupportedMediaType(
            f"The body is {media_type!r}. Send one or many files as multipart/form-data "
            "(curl -F files=@a.jpg -F files=@b.jpg), or one image as the body "
            "(curl --data-binary @a.jpg -H 'content-type: image/jpeg')."
        )
    if not images:
        raise EmptyUpload("Send at least one image file, for instance curl -F files=@a.jpg.")
    return images


async def read_labelled_images(
    request: Request, settings: Settings
) -> list[tuple[str, UploadedImage]]:
    """Images with the folder in their file name as label: a multipart form, a zip, or both.

    Raises:
        UnsupportedMediaType: The body is neither.
        EmptyUpload: There is no image in it.
        InvalidName, InvalidUpload, RequestTooLarge, ImageTooLarge: It cannot be taken.
    """
    media_type = _media_type(request)
    if media_type == "multipart/form-data":
        files = await _form_files(request, settings)
    elif media_type in ZIP_TYPES:
        files = [UploadedImage("upload.zip", await request.body())]
    else:
        raise UnsupportedMediaType(
            f"The body is {media_type!r}. Send a zip of LABEL/IMAGE files (curl --data-binary "
            "@support.zip -H 'content-type: application/zip'), or multipart/form-data with the "
            "label as folder of each file name (curl -F 'files=@a.jpg;filename=cat/a.jpg')."
        )
    images: list[UploadedImage] = []
    unpacked = 0
    for file in files:
        if file.filename.lower().endswith(".zip"):
            members = await run_in_threadpool(unzip, file.content, settings, unpacked)
            unpacked += sum(len(member.content) for member in members)
            images += members
        else:
            images.append(file)
        _check_count(len(images), settings)
    if not images:
        raise EmptyUpload("There is no image in the upload.")
    return [(_label(image.filename), image) for image in images]


def unzip(content: bytes, settings: Settings, unpacked: int = 0) -> list[UploadedImage]:
    """Read the files of a zip archive, in memory; nothing is written anywhere.

    Directories and the hidden files that operating systems add are left out. ``unpacked`` is
    how many bytes other zips of the same request have taken already.

    Raises:
        InvalidUpload: It is no zip, damaged, encrypted, or names files outside of itself.
        RequestTooLarge: It has too many files, or they are too large together.
        ImageTooLarge: One of them is too large.
    """
    images: list[UploadedImage] = []
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [info for info in archive.infolist() if _wanted(info)]
            _check_count(len(members), settings)
            for info in members:
                # Sizes in the archive's directory may lie: count what really comes out.
                with archive.open(info) as member:
                    data = member.read(settings.max_image_bytes + 1)
                if len(data) > settings.max_image_bytes:
                    raise ImageTooLarge(
                        f"{info.filename!r} in the zip has more than {settings.max_image_bytes} "
                        "bytes, the most that are accepted."
                    )
                unpacked += len(data)
                if unpacked > settings.max_unpacked_bytes:
                    raise RequestTooLarge(
                        f"The zip unpacks to more than {settings.max_unpacked_bytes} bytes. "
                        "Send several smaller ones."
                    )
                images.append(UploadedImage(info.filename, data))
    except (InvalidUpload, ImageTooLarge, RequestTooLarge):
        raise
    except RuntimeError as error:  # zipfile's way of saying that a password is needed
        raise InvalidUpload(f"The zip cannot be read: {error}") from error
    # A damaged archive leads zipfile and its decompressors to any kind of error.
    except Exception as error:
        raise InvalidUpload(f"The zip is damaged or no zip: {error}") from error
    return images


def _wanted(info: zipfile.ZipInfo) -> bool:
    path = PurePosixPath(info.filename.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in (path.parts or ("",))[0]:
        raise InvalidUpload(
            f"The zip names a file outside of itself: {info.filename!r}. Nothing was unpacked."
        )
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in path.parts)
    return not (info.is_dir() or hidden or path.name == "Thumbs.db")


def _label(filename: str) -> str:
    folders = PurePosixPath(filename.replace("\\", "/")).parent.parts
    if not folders or folders[-1] == "/":
        raise InvalidUpload(
            f"{filename!r} has no folder to take the label from. Name files LABEL/IMAGE, for "
            "instance cat/a.jpg."
        )
    return checked_label(folders[-1])


class _Form(MultiPartParser):
    """Starlette's parser, which takes a form without its end for a whole one."""

    ended = False

    def on_end(self) -> None:
        self.ended = True


async def _form_files(request: Request, settings: Settings) -> list[UploadedImage]:
    # Not request.form(): within an application that turns every defect into a bare 400.
    parser = _Form(
        request.headers,
        request.stream(),
        max_files=settings.max_images_per_request,
        max_fields=100,
    )
    try:
        form = await parser.parse()
    except MultiPartException as error:
        if "Too many files" in error.message:
            raise _too_many(settings) from error
        raise InvalidUpload(f"The multipart body cannot be read: {error.message}") from error
    try:
        files = [await _read(name, value) for name, value in form.multi_items()]
    finally:
        await form.close()
    if not parser.ended:
        raise InvalidUpload("The multipart body is cut short: its last boundary is missing.")
    return files


async def _read(name: str, value: UploadFile | str) -> UploadedImage:
    if isinstance(value, str):
        raise InvalidUpload(
            f"The form field {name!r} is text, not a file. With curl, write -F {name}=@FILE."
        )
    filename = (value.filename or "").encode(errors="replace").decode()
    return UploadedImage(filename, await value.read())


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _check_count(count: int, settings: Settings) -> None:
    if count > settings.max_images_per_request:
        raise _too_many(settings)


def _too_many(settings: Settings) -> RequestTooLarge:
    return RequestTooLarge(
        f"At most {settings.max_images_per_request} images are accepted in one request. Send "
        "several requests."
    )
