"""Error aggregation: all images of a registration that cannot be used, in one answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fastapi_problem.error import StatusProblem

from service.file_reasons import FileReason, listed, members
from service.images.uploaded import UploadedImage
from service.problems import BrokenImage, ImageTooLarge, InvalidUpload, NotAnImage

# What is wrong with one image says nothing of the others.
IMAGE_ERRORS = (NotAnImage, BrokenImage, ImageTooLarge, InvalidUpload)


def aggregated(
    images: Sequence[UploadedImage], errors: Mapping[int, Exception]
) -> StatusProblem | Exception:
    """One problem that names every image at fault, in the extension member ``files`` too.

    Args:
        images: Of the request.
        errors: What was wrong, by the place of the image, in their order; one or more.

    Returns:
        A problem of the kind of the first one.
    """
    first = next(iter(errors.values()))
    if not isinstance(first, StatusProblem):
        return first
    files = []
    for place, error in errors.items():
        image = images[place]
        message = (error.detail if isinstance(error, StatusProblem) else None) or str(error)
        reason = message.removeprefix(image.called).strip()
        name = image.place or image.filename or f"image {place + 1}"
        files.append(FileReason(name, reason))
    if len(errors) == 1:
        detail = first.detail or ""
    else:
        detail = (
            f"{len(files)} of {len(images)} images cannot be used, and none was registered: "
            + listed(files)
        )
    return type(first)(detail, files=members(files))
