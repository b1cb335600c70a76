"""OpenAPI responses: the problems that a route can answer with, each with an example."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastapi_problem.error import StatusProblem
from pydantic import BaseModel

from service.api.openapi.schema_types import ETAG_PATTERN
from service.problems import (
    AlreadyCarriedOut,
    BrokenImage,
    CannotFetch,
    ChangedMeanwhile,
    ClassifierDamaged,
    ClassifierNotFound,
    ClassNotFound,
    EmptyUpload,
    FolderNotAllowed,
    IdempotencyKeyInUse,
    IdempotencyKeyReused,
    ImageNotFound,
    ImageNotStored,
    ImageTooLarge,
    InvalidIdempotencyKey,
    InvalidName,
    InvalidPrecondition,
    InvalidRequest,
    InvalidUpload,
    NotAnImage,
    NotReady,
    OtherBackbone,
    OtherFingerprint,
    OutcomeUnknown,
    Overloaded,
    PreconditionFailed,
    RequestTooLarge,
    SeveralLabels,
    StorageFull,
    StorageUnavailable,
    TooManyJobs,
    UnsupportedMediaType,
)

Document = dict[str, Any]
Responses = dict[int | str, dict[str, Any]]
PROBLEM_JSON = "application/problem+json"
_RATE_LIMIT_FIELDS: Document = {
    "Retry-After": {
        "description": "Seconds after which to send the request again.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "RateLimit-Policy": {
        "description": "Rate limits: each with its quota `q` in a window of `w` seconds"
        " (draft-ietf-httpapi-ratelimit-headers).",
        "schema": {"type": "string"},
    },
    "RateLimit": {
        "description": "What is left of each (`r`), and seconds until there is more (`t`).",
        "schema": {"type": "string"},
    },
}

SEVERAL_LABELS = SeveralLabels("A report names one class for each image, and its images may ...")
CLASSIFIER_NOT_FOUND = ClassifierNotFound("land-cover")
IMAGE_NOT_FOUND = ImageNotFound("Classifier 'land-cover' has no image 0b54.... Nothing was ...")
CLASS_NOT_FOUND = ClassNotFound("land-cover", "forest")
NAMING_PROBLEMS: tuple[StatusProblem, ...] = (
    RequestTooLarge("The classifier would have 10000 classes times 100 templates, which are..."),
    Overloaded("As many texts of class names wait as are admitted. Send the request..."),
)
"""Problems of a change that names classes."""
BODY_PROBLEMS: tuple[StatusProblem, ...] = (
    RequestTooLarge("The request body has 2000000 bytes; at most 1048576 are accepted..."),
    InvalidUpload("The body cannot be decoded as gzip, which its Content-Encoding says it is..."),
    UnsupportedMediaType("The Content-Encoding is 'br'. Send the body as it is, or compressed..."),
    Overloaded("The requests that are being received and worked on take all the bytes that..."),
)
"""Problems of a body that is no image."""
IMAGE_PROBLEMS: tuple[StatusProblem, ...] = (
    NotAnImage("The image 'a.txt' is not an image in a known format. Accepted are JPEG, ..."),
    BrokenImage("The image 'a.jpg' is truncated or damaged: ..."),
    ImageTooLarge("The image 'a.png' has 100000 x 100000 pixels; at most 64000000 are accepted."),
    RequestTooLarge("At most 2000 images are accepted in one request. Send several requests."),
    InvalidUpload("The multipart body is cut short: its last boundary is missing."),
    EmptyUpload("Send at least one image file, for instance curl -F files=@a.jpg."),
    UnsupportedMediaType("The body is 'text/html'. Send one or many files as ..."),
    Overloaded("As many images wait as are admitted (HANDFUL_MAX_WAITING). Send the..."),
)
"""Problems of a body of images."""
ITEM_PROBLEMS: tuple[StatusProblem, ...] = (
    ImageNotFound("images[0].image_id: classifier 'land-cover' has no image '0b54...'. ..."),
    ImageNotStored("images[0].image_id: of the image '0b54...' nothing is kept that could be ..."),
    OtherFingerprint("images[0] is an embedding of the fingerprint 5f0c..., and what it is to ..."),
    CannotFetch("images[0].url is answered with a redirect (302); none is followed."),
)
"""Problems of images in JSON that are given by their embeddings, or by ids."""
JOB_PROBLEMS: tuple[StatusProblem, ...] = (
    FolderNotAllowed("'/etc' is no folder that jobs may read. Name one by its absolute path, ..."),
    InvalidName("'..' cannot be a label; of the files of the job these have it: ..."),
    InvalidRequest("body.folder: Field required", errors=[]),
    TooManyJobs("There are 100 jobs that have not ended (HANDFUL_MAX_JOBS), or their zips and ..."),
    StorageFull("There is no room for this on the disk of the jobs. Free some, or DELETE ..."),
)
"""Problems of a request that asks for a job, beside those of its images."""


def created(model: type[BaseModel]) -> Responses:
    """OpenAPI response for a resource that a PUT has made."""
    return {201: {"model": model, "description": "Created"}}


ETAG: Document = {
    "ETag": {
        "description": "Which state this is, for `If-Match` and `If-None-Match`.",
        "schema": {"type": "string", "pattern": ETAG_PATTERN},
    }
}
TAGGED: Responses = {
    200: {"headers": ETAG},
    304: {"description": "The client has it as it is (`If-None-Match`)", "headers": ETAG},
}
"""Answers of a GET that has an entity tag."""
_NOT_READ = InvalidPrecondition("If-Match is 'abc'. Send the ETag of an answer as it is, ...")


def tagged_problems(*examples: StatusProblem) -> Responses:
    """OpenAPI responses of a GET of a classifier that has an entity tag."""
    return classifier_problems(*examples, _NOT_READ) | TAGGED


KEYED_PROBLEMS: tuple[StatusProblem, ...] = (
    InvalidIdempotencyKey("The Idempotency-Key is not one string of 1 to 255 printable ASCII ..."),
    IdempotencyKeyInUse("Another request with this Idempotency-Key is being carried out. ..."),
    IdempotencyKeyReused("This Idempotency-Key came with another request in the last day, ..."),
    AlreadyCarriedOut("The change was made, once, by the first request with this ..."),
)
"""Problems of a request with an ``Idempotency-Key``."""


def change_problems(*examples: StatusProblem) -> Responses:
    """OpenAPI responses of a route that changes a classifier."""
    return classifier_problems(
        *examples,
        _NOT_READ,
        PreconditionFailed(
            "Classifier 'land-cover' is not in the state that If-Match asks for: it is "
            '"64f0c9.12" now. ...'
        ),
        *KEYED_PROBLEMS,
        OutcomeUnknown("The database cannot be used now. The connection was lost in the moment..."),
        ChangedMeanwhile("Others changed the classifier 30 times while..."),
        StorageFull("There is no room for this on the disk of the database. Free some ..."),
    )


def classifier_problems(*examples: StatusProblem) -> Responses:
    """OpenAPI responses of a route that uses a classifier."""
    return problems(
        *examples,
        OtherBackbone("Classifier 'land-cover' holds embeddings of the backbone lite (0b54...)..."),
        ClassifierDamaged("land-cover", "its tuning is no JSON object"),
    )


def problems(*examples: StatusProblem, storage: bool = True) -> Responses:
    """OpenAPI responses for these problems, grouped by status.

    Args:
        *examples: What the route says of its own.
        storage: Whether it uses the database.
    """
    common: list[StatusProblem] = [NotReady("The backbone is still loading.")]
    if storage:
        common.append(StorageUnavailable("The database cannot be used now. Another process"))
    return problem_responses((*examples, *common))


def problem_responses(examples: Iterable[StatusProblem]) -> dict[int | str, dict[str, Any]]:
    """OpenAPI response objects of problems, by status; each example by its type."""
    by_status: dict[int, list[StatusProblem]] = {}
    for example in examples:
        by_status.setdefault(example.status, []).append(example)
    return {status: _answer(status, group) for status, group in by_status.items()}


def _answer(status: int, group: Iterable[StatusProblem]) -> Document:
    named: dict[str, Document] = {
        example.type: {"summary": example.title, "value": example.marshal()} for example in group
    }
    answer: Document = {
        "description": titles(named),
        "content": {
            PROBLEM_JSON: {
                "schema": {"$ref": f"#/components/schemas/Problem{status}"},
                "examples": named,
            }
        },
    }
    if status == 429:
        answer["headers"] = _RATE_LIMIT_FIELDS
    if status == 503:
        answer["headers"] = {
            "Retry-After": {
                "description": "Seconds after which to try again, where that can be said.",
                "schema": {"type": "integer", "minimum": 0},
            }
        }
    return answer


def titles(named: dict[str, Document]) -> str:
    """The description of a response, from its examples."""
    return " / ".join(example["summary"] for example in named.values())
