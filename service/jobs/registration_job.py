"""The work of a registration job: a piece of its files → support images, in one change.

A piece is all or nothing, and none is lost: each is a change like that of a request. Repeating one
changes nothing, as images are recognised by their bytes. So results say of an image that it was
created where it came with this job, whichever process began it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import anyio
from fastapi_problem.error import StatusProblem
from pydantic_core import to_json
from sqlalchemy.orm import Session

from service.encoding.recipes import RecipeEmbedders
from service.encoding.registering import registered
from service.encoding.text_embedder import TextEmbedder
from service.images.embedded import EmbeddedImage
from service.images.uploaded import UploadedImage
from service.jobs.job_folder import JobFile, lines_of
from service.jobs.work import Piece, by_name, error_of, identified
from service.registry.registered import Registered
from service.registry.registry import Registry
from service.storage.jobs import JobRecord, Jobs
from service.storage.recording import Recorded


class RegistrationWork:
    """Registers the files of a job.

    Args:
        job: The job.
        registry: Of the classifiers.
        embedders: Embed, behind queries.
        texts: Embeds class names.
        writers: Of the threads that jobs change classifiers in.
        first: Of each support image that results tell of, by its id, the file that it came in.
        jobs: Where the classifier's name is read.
    """

    # A change is tuned and written at once, while other changes of the database wait.
    files, ahead = 256, False

    def __init__(
        self,
        job: JobRecord,
        registry: Registry,
        embedders: RecipeEmbedders,
        texts: TextEmbedder,
        writers: anyio.CapacityLimiter,
        first: dict[str, int],
        jobs: Jobs,
    ) -> None:
        self._jobs = jobs
        self._job = job
        self._registry = registry.recording([self._identified])
        self._embedders = embedders
        self._texts = texts
        self._writers = writers
        self._first = first

    async def __call__(self, files: Sequence[JobFile], images: Sequence[UploadedImage]) -> Piece:
        """Register a piece: those images of it that can be.

        Raises:
            StatusProblem: The classifier cannot be changed; nothing was.
        """
        return await by_name(
            self._jobs, self._job, lambda name: self._registered(name, files, images)
        )

    async def _registered(
        self, name: str, files: Sequence[JobFile], images: Sequence[UploadedImage]
    ) -> Piece:
        labels = [[file.label or ""] for file in files]
        embedded, done = await registered(
            self._registry,
            self._embedders,
            self._texts,
            self._writers,
            name,
            images,
            labels,
            lambda live: identified(self._job, live.state),
        )
        return self._piece(files, embedded, done)

    def _identified(self, session: Session, recorded: Recorded) -> None:
        """Undo a change of another classifier, which has just taken the name."""
        if recorded.before is not None:
            identified(self._job, recorded.before)

    def _piece(
        self,
        files: Sequence[JobFile],
        embedded: Sequence[EmbeddedImage | StatusProblem],
        done: Sequence[Registered],
    ) -> Piece:
        left = iter(done)
        errors: list[dict[str, Any]] = []
        lines = []
        for file, image in zip(files, embedded, strict=True):
            if isinstance(image, StatusProblem):
                errors.append(error_of(file, image))
                lines.append(to_json(errors[-1]))
                continue
            record = next(left).record
            new = record.created_at >= self._job.created_at
            first = self._first.setdefault(record.public_id, file.at) == file.at
            status = "created" if new and first else "duplicate"
            lines.append(
                to_json(
                    {
                        "file": file.name,
                        "label": file.label,
                        "id": record.public_id,
                        "status": status,
                    }
                )
            )
        return Piece(lines_of(lines), errors)


def first_files(files: Sequence[JobFile], lines: Iterable[bytes]) -> dict[str, int]:
    """The file that each support image came in first, by its id.

    Args:
        files: Of the job.
        lines: Its results so far, in the order of the files.
    """
    first: dict[str, int] = {}
    for file, line in zip(files, lines, strict=False):
        if (image_id := json.loads(line).get("id")) is not None:
            first.setdefault(image_id, file.at)
    return first
