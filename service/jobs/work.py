"""What the kinds of jobs have in common: pieces of work, and the words for what is wrong."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from fastapi_problem.error import StatusProblem

from service.images.uploaded import UploadedImage
from service.jobs.job_folder import JobFile
from service.problems import ClassifierNotFound
from service.registry.current_name import by_current_name
from service.storage.jobs import JobRecord, Jobs
from service.storage.records import State


class JobFailed(StatusProblem):
    """A job cannot go on. It is told in the job, and never an answer to a request."""

    type_ = "job-failed"
    title = "The job cannot go on"
    status = 500


@dataclass(frozen=True, slots=True)
class Piece:
    """What became of a piece of a job's files.

    Attributes:
        lines: Of results, a line a file.
        errors: Of the files that could not be used, as they stand in the lines.
    """

    lines: bytes
    errors: Sequence[dict[str, Any]]


class Work(Protocol):
    """What is done with the files of a job, piece by piece.

    Doing a piece twice is the same as doing it once: a process may end before it is counted.

    Attributes:
        files: Most files of a piece.
        ahead: Whether the next piece may be begun before this one is written down.
    """

    files: int
    ahead: bool

    async def __call__(self, files: Sequence[JobFile], images: Sequence[UploadedImage]) -> Piece:
        """Do a piece."""


def error_of(file: JobFile, problem: StatusProblem) -> dict[str, Any]:
    """A line of results for a file that cannot be used."""
    return {"file": file.name, "problem": document_of(problem)}


def document_of(problem: StatusProblem) -> dict[str, Any]:
    """The members of a problem document (RFC 9457)."""
    return {
        "type": problem.type_,
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail or "",
    }


async def by_name(jobs: Jobs, job: JobRecord, do: Callable[[str], Awaitable[Piece]]) -> Piece:
    """Do a piece by the name that the job's classifier has now: it may be renamed at any time.

    Args:
        jobs: Where the name is read.
        job: The job.
        do: Does the piece, and raises ``ClassifierNotFound`` where the name is not its any more.

    Raises:
        ClassifierNotFound: It is gone.
    """
    piece = await by_current_name(partial(jobs.name_of, job), do)
    if piece is None:
        raise ClassifierNotFound(job.classifier)
    return piece


def identified(job: JobRecord, state: State) -> None:
    """See that a classifier is the one that the job was asked of, and no other of its name.

    Raises:
        ClassifierNotFound: It is another one.
    """
    if (state.id, state.created_at) != (job.classifier_id, job.classifier_created_at):
        raise ClassifierNotFound(job.classifier)
