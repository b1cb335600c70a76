"""Problems of uploads: what is sent is no image, or cannot be taken as one."""

from __future__ import annotations

from fastapi_problem.error import StatusProblem


class ImportedBackbone(StatusProblem):
    """A classifier's file holds embeddings of another backbone, and not all of its images."""

    type_ = "imported-backbone"
    title = "The file was embedded by another backbone"
    status = 422


class NotAnImage(StatusProblem):
    """The bytes are no image of a known format."""

    type_ = "not-an-image"
    title = "That is not an image that can be read"
    status = 422


class BrokenImage(StatusProblem):
    """The image is cut short or damaged."""

    type_ = "broken-image"
    title = "The image is truncated or damaged"
    status = 422


class ImageTooLarge(StatusProblem):
    """Too many bytes or too many pixels in one image."""

    type_ = "image-too-large"
    title = "The image is too large"
    status = 413


class EmptyUpload(StatusProblem):
    """No image in the request."""

    type_ = "empty-upload"
    title = "The request carries no image"
    status = 422


class CannotFetch(StatusProblem):
    """An image that is given by its URL cannot be fetched."""

    type_ = "cannot-fetch"
    title = "The image cannot be fetched"
    status = 422


class InvalidUpload(StatusProblem):
    """The body cannot be taken apart."""

    type_ = "invalid-upload"
    title = "The upload cannot be read"
    status = 422
