"""Inference requests, however they came: images, and which outputs are wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.api.json_documents import Path, refusal
from service.api.predicting import MOST_CANDIDATES
from service.api.uploads.multipart import too_many
from service.images.uploaded import UploadedImage
from service.integrations.open_inference.models import IMAGE, LABEL, PROBABILITY, TensorMetadata
from service.problems import EmptyUpload
from service.settings import Settings

# Outputs that have a value for each class, of which the best may be asked for.
_OF_CLASSES = frozenset({LABEL.name, PROBABILITY.name})
# Characters of a request's id, which comes back with the answer.
_LONGEST_ID = 1000
_MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class AskedOutput:
    """An output that is wanted.

    Attributes:
        name: Its name.
        classes: How many classes are wanted in its place, the best first; None: the output itself.
        binary: Whether it is wanted as bytes; None: as the request says of all.
    """

    name: str
    classes: int | None = None
    binary: bool | None = None


@dataclass(frozen=True, slots=True)
class InferenceRequest:
    """An inference request.

    Attributes:
        images: One or more.
        batched: Whether they came as (n, 1), so that outputs are of that shape too.
        id: As the client named it; empty: it did not.
        outputs: Those that are wanted, in their order; empty: all.
        binary: Whether outputs are wanted as bytes where they do not say.
        seconds: Longest that it may wait; None: as long as the service lets it.
    """

    images: list[UploadedImage]
    batched: bool = False
    id: str = ""
    outputs: Sequence[AskedOutput] = ()
    binary: bool = False
    seconds: float | None = None

    @property
    def top_k(self) -> int:
        """Candidates that are needed of each image."""
        return max((one.classes or 1 for one in self.outputs), default=1)


def expected_images(
    place: Path, name: object, datatype: object, shape: Sequence[object], settings: Settings
) -> int:
    """How many images an input has, by its shape: (n) or (n, 1).

    Raises:
        InvalidRequest: It is not the input of a classifier; says where.
        EmptyUpload: It has none.
        RequestTooLarge: It has too many.
    """
    if name != IMAGE:
        raise refusal([((*place, "name"), f"is not {IMAGE!r}, the one input of a classifier")])
    if datatype != "BYTES":
        why = "is not 'BYTES': images are sent as the bytes of their files, JPEG or PNG or another"
        raise refusal([((*place, "datatype"), why)])
    counts = [one for one in shape if isinstance(one, int) and not isinstance(one, bool)]
    is_whole = len(counts) == len(shape) and min(counts, default=-1) >= 0
    if not is_whole or len(counts) not in (1, 2) or counts[1:] not in ([], [1]):
        why = "is neither [n] nor [n, 1], of whole numbers, for n images"
        raise refusal([((*place, "shape"), why)])
    if counts[0] == 0:
        raise EmptyUpload("The request carries no image: its shape is empty.")
    if counts[0] > settings.max_images_per_request:
        raise too_many(settings)
    return counts[0]


def asked_output(place: Path, name: object, parameters: Mapping[str, Any]) -> AskedOutput:
    """An output that is wanted; what it may be called is checked once the classifier is known.

    Raises:
        InvalidRequest: It is not as described; says where.
    """
    if not isinstance(name, str):
        raise refusal([((*place, "name"), "is no string")])
    check_no_shared_memory(place, parameters)
    classes, binary = parameters.get("classification"), parameters.get("binary_data")
    if classes == 0 and not isinstance(classes, bool):  # what clients send for "not wanted"
        classes = None
    told = (*place, "parameters", "classification")
    if classes is not None and not _is_number(classes, 1, MOST_CANDIDATES):
        raise refusal([(told, f"is no whole number from 1 to {MOST_CANDIDATES}")])
    if classes is not None and name not in _OF_CLASSES:
        raise refusal([(told, f"is for the outputs {', '.join(sorted(_OF_CLASSES))} alone")])
    if binary is not None and not isinstance(binary, bool):
        raise refusal([((*place, "parameters", "binary_data"), "is neither true nor false")])
    return AskedOutput(name, classes, binary)


def check_outputs(asked: Sequence[AskedOutput], has: Sequence[TensorMetadata]) -> None:
    """See that a classifier has the outputs that are wanted, each of them once.

    Raises:
        InvalidRequest: It has not; says which it has.
    """
    names = [one.name for one in has]
    for place, one in enumerate(asked):
        where: Path = ("outputs", place, "name")
        if one.name not in names:
            raise refusal([(where, f"is none of {', '.join(names)}")])
        if any(before.name == one.name for before in asked[:place]):
            raise refusal([(where, f"is {one.name!r} for the second time")])


def check_id(given: object) -> str:
    """The id of a request.

    Raises:
        InvalidRequest: It can be none.
    """
    if not isinstance(given, str) or len(given) > _LONGEST_ID:
        raise refusal([(("id",), f"is no string of at most {_LONGEST_ID} characters")])
    return given


def seconds_of(parameters: Mapping[str, Any]) -> float | None:
    """How long a request may wait, which it says in microseconds; None: it does not say.

    Raises:
        InvalidRequest: It is no such number.
    """
    if (given := parameters.get("timeout")) in (None, 0):
        return None
    if not _is_number(given, 1, 2**63):
        raise refusal([(("parameters", "timeout"), "is no whole number of microseconds")])
    return int(given) / _MICROSECONDS


def check_no_shared_memory(place: Path, parameters: Mapping[str, Any]) -> None:
    """See that a tensor is none in memory that is shared with the client.

    Raises:
        InvalidRequest: It is.
    """
    if "shared_memory_region" in parameters:
        why = "is not supported: send tensors in the request, and receive them in the answer"
        raise refusal([((*place, "parameters", "shared_memory_region"), why)])


def _is_number(given: object, least: int, most: int) -> bool:
    return isinstance(given, int) and not isinstance(given, bool) and least <= given <= most
