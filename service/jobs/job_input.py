"""The input of a job: the images of a zip on the disk, or of a folder that clients may name."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from service.archives import Unpacked, open_archive
from service.class_folders import ClassFolderError, read_class_folders
from service.class_folders.droppings import why_skipped
from service.file_reasons import FileReason, listed, members
from service.folders import Place, TooManyFiles, list_below, place_of, read_below
from service.images.uploaded import UploadedImage
from service.jobs.job_folder import JobFile
from service.name_validation import checked_label
from service.problems import (
    EmptyUpload,
    FolderNotAllowed,
    ImageTooLarge,
    InvalidName,
    InvalidUpload,
    RequestTooLarge,
)
from service.settings import Settings

# A zip unpacks to no more than any other one may, or to so many times its size.
_TIMES = 16


class JobInput:
    """Images to choose from; each is read when its turn comes.

    Attributes:
        images: All files, in the order of the zip, or of their names in the folder.
    """

    def __init__(self, images: Sequence[UploadedImage]) -> None:
        self.images = images

    @classmethod
    def of_zip(cls, path: Path, settings: Settings, encoding: str | None) -> JobInput:
        """The files of a zip.

        Args:
            path: Where it lies.
            settings: The limits.
            encoding: Of names that do not say that they are UTF-8.

        Raises:
            InvalidUpload, RequestTooLarge: It cannot be taken.
        """
        most = max(settings.max_unpacked_bytes, _TIMES * path.stat().st_size)
        limits = settings.model_copy(
            update={
                "max_images_per_request": settings.max_job_images,
                "max_unpacked_bytes": most,
            }
        )
        return cls(open_archive(path, limits, Unpacked(limits), encoding))

    @classmethod
    def of_folder(cls, path: str, settings: Settings) -> JobInput:
        """The files of a folder.

        Raises:
            FolderNotAllowed: No job may read it, or it cannot be listed.
            RequestTooLarge: There are too many.
        """
        place = _allowed(path, settings)
        try:
            names = list_below(place, 2 * settings.max_job_images)
        except TooManyFiles as error:
            raise _too_many(settings) from error
        except OSError as error:
            raise FolderNotAllowed(
                f"The folder {path!r} cannot be read: {error.strerror or error}. Links are not "
                "followed; name the folder that they lead to."
            ) from error
        faults = [
            FileReason(name.encode(errors="replace").decode(), "has a name that is not UTF-8")
            for name in names
            if not _is_text(name)
        ]
        if faults:
            raise InvalidUpload(f"{listed(faults)}. Rename these files.", files=members(faults))
        return cls([_on_disk(place, name, settings) for name in names])

    @classmethod
    def taken(cls, path: str, files: Sequence[JobFile], settings: Settings) -> JobInput:
        """The files that a job has found in a folder, in their order.

        Raises:
            FolderNotAllowed: No job may read it any more.
        """
        place = _allowed(path, settings)
        return cls([_on_disk(place, file.name, settings) for file in files])


def files_to_ask(images: Sequence[UploadedImage], settings: Settings) -> tuple[list[JobFile], int]:
    """The files that a prediction takes, and how many it skips.

    Raises:
        EmptyUpload, RequestTooLarge: There are none, or too many.
    """
    taken, skipped = [], list[FileReason]()
    for at, image in enumerate(images):
        if reason := why_skipped(image.filename.replace("\\", "/").split("/")):
            skipped.append(FileReason(image.filename, reason))
        else:
            taken.append(JobFile(image.filename, None, at))
    _check_count(taken, skipped, settings)
    return taken, len(skipped)


def files_to_register(
    images: Sequence[UploadedImage], settings: Settings, *, backslashes: bool
) -> tuple[list[JobFile], int]:
    """The files that a registration takes, with their labels, and how many it skips.

    Raises:
        EmptyUpload, RequestTooLarge: There are none, or too many.
        InvalidName, InvalidUpload: Names cannot be labels; all the files at fault are named.
    """
    try:
        found = read_class_folders([one.filename for one in images], backslashes=backslashes)
    except ClassFolderError as error:
        raise InvalidUpload(str(error), files=members(error.files)) from error
    labels: dict[str, str] = {}
    faults: list[FileReason] = []
    taken = []
    for at, (label, image) in enumerate(zip(found.labels, images, strict=True)):
        if label is None:
            continue
        if label not in labels:
            try:
                labels[label] = checked_label(label)
            except InvalidName as error:
                faults.append(FileReason(image.filename, error.detail or ""))
                continue
        taken.append(JobFile(image.filename, labels[label], at))
    if faults:
        raise InvalidName(listed(faults), files=members(faults))
    _check_count(taken, found.skipped, settings)
    return taken, len(found.skipped)


def _check_count(
    taken: Sequence[JobFile], skipped: Sequence[FileReason], settings: Settings
) -> None:
    if len(taken) > settings.max_job_images:
        raise _too_many(settings)
    if not taken:
        why = f": {listed(skipped)}" if skipped else ""
        raise EmptyUpload(f"There is no image for the job{why}.", files=members(skipped))


def _too_many(settings: Settings) -> RequestTooLarge:
    return RequestTooLarge(
        f"A job takes at most {settings.max_job_images} images (HANDFUL_MAX_JOB_IMAGES). Ask for "
        "several jobs."
    )


def _allowed(path: str, settings: Settings) -> Place:
    place = place_of(path, settings.job_folders)
    if place is not None:
        return place
    if not settings.job_folders:
        raise FolderNotAllowed(
            "No folder of this machine may be named (HANDFUL_JOB_FOLDERS is empty). Send the "
            "images as a zip, or let whoever runs the service allow a folder."
        )
    raise FolderNotAllowed(
        f"{path!r} is no folder that jobs may read. Name one by its absolute path, without '..', "
        "at or below a folder of HANDFUL_JOB_FOLDERS."
    )


def _on_disk(place: Place, name: str, settings: Settings) -> UploadedImage:
    return UploadedImage(name, partial(_read, place, name, settings.max_image_bytes))


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _read(place: Place, name: str, most: int) -> bytes:
    try:
        content = read_below(place, name, most + 1)
    except OSError as error:
        raise InvalidUpload(
            f"The image {name!r} cannot be read: {error.strerror or error}."
        ) from error
    if len(content) > most:
        raise ImageTooLarge(f"The image {name!r} has more than {most} bytes, the most accepted.")
    return content
