"""JSON of jobs: what was asked, how far it is, what became of each file."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, RootModel

from service.api.openapi.schema_types import ClassifierName, ClassLabel, ImageIdentifier
from service.api.schemas.predictions import EvidenceOut, RankedLabelOut, is_none
from service.jobs.audited import shown_parameters
from service.storage.jobs import FIRST_ERRORS, JobKind, JobRecord, JobState
from service.tenancy import bare

_JOB: dict[str, Any] = {
    "id": "6f1c0c3f5a4e4b0f8f0a5f0b7c9d2e11",
    "kind": "predict",
    "classifier": "land-cover",
    "state": "running",
    "cancelling": False,
    "folder": None,
    "parameters": {"top_k": 5, "evidence": 3},
    "progress": {"total": 20000, "done": 6400, "failed": 1, "skipped": 2},
    "errors": [
        {
            "file": "2024/tile-17.jpg",
            "problem": {
                "type": "broken-image",
                "title": "The image is truncated or damaged",
                "status": 422,
                "detail": "The image '2024/tile-17.jpg' is truncated or damaged: ...",
            },
        }
    ],
    "problem": None,
    "waits_for": None,
    "created_at": "2026-01-01T12:00:00Z",
    "started_at": "2026-01-01T12:00:01Z",
    "ended_at": None,
}


class JobFolderIn(BaseModel):
    """A folder of the machine that the service runs on."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"folder": "/data/photos/2024"}]}
    )

    folder: str = Field(
        min_length=1,
        max_length=4096,
        description="Its absolute path, at or below a folder of `HANDFUL_JOB_FOLDERS`. All image"
        " files below it are taken, in the order of their names; links are not followed.",
    )


class FaultOut(BaseModel):
    """The members of a problem document (RFC 9457)."""

    type: str = Field(description="Names the kind.")
    title: str = Field(description="The kind, for people.")
    status: int = Field(description="The status that a request would be answered with.")
    detail: str = Field(description="What is wrong, and how to mend it.")


class FileErrorOut(BaseModel):
    """A file of a job that cannot be used; the others are not concerned."""

    file: str = Field(description="Its name in the zip, or below the folder.")
    problem: FaultOut


class ProgressOut(BaseModel):
    """How far a job is, in files."""

    total: int = Field(description="Files that the job takes.")
    done: int = Field(description="Those that have a line among the results.")
    failed: int = Field(description="Those of them that could not be used.")
    skipped: int = Field(
        description="Files that are none of the job's: by their names no images, but what systems"
        " and tools leave beside them."
    )


class JobOut(BaseModel):
    """A job."""

    model_config = ConfigDict(json_schema_extra={"examples": [_JOB]})

    id: ImageIdentifier
    kind: JobKind
    classifier: ClassifierName
    state: JobState = Field(
        description="`queued`; `running`; `done`: every file has a line among the results, also"
        " those that could not be used; `failed`: by `problem`; `cancelled`. What has ended in"
        " either way keeps the results that it has."
    )
    cancelling: bool = Field(
        description="Whether it was told to end, which it does after the piece that it is at."
    )
    folder: str | None = Field(description="What it works on; null: the zip that came with it.")
    parameters: dict[str, int | str | None] = Field(description="As in the request.")
    progress: ProgressOut
    errors: list[FileErrorOut] = Field(
        description=f"The first {FIRST_ERRORS} files that could not be used; the results have all."
    )
    problem: FaultOut | None = Field(description="What the job has failed with.")
    waits_for: str | None = Field(
        description="What keeps it from going on at the moment, such as a full disk; it is tried"
        " again every few seconds."
    )
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None

    @classmethod
    def of(cls, job: JobRecord) -> Self:
        """The JSON of a job."""
        return cls(
            id=job.id,
            kind=job.kind,
            classifier=bare(job.classifier),
            state=job.state,
            cancelling=job.cancelling and not job.ended,
            folder=job.folder,
            parameters=shown_parameters(job),
            progress=ProgressOut(
                total=job.total, done=job.done, failed=job.failed_files, skipped=job.skipped
            ),
            errors=[FileErrorOut.model_validate(one) for one in job.first_errors],
            problem=None if job.problem is None else FaultOut.model_validate(job.problem),
            waits_for=job.waits_for,
            created_at=job.created_at,
            started_at=job.started_at,
            ended_at=job.ended_at,
        )


class JobList(BaseModel):
    """A page of jobs, the newest first."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"jobs": [_JOB], "next_cursor": None}]}
    )

    jobs: list[JobOut]
    next_cursor: str | None = Field(description="`cursor` of the next page; null on the last.")


class PredictionLine(BaseModel):
    """A line of the results of a prediction: the members of a prediction, and the file."""

    file: str
    label: ClassLabel
    probability: float
    labels: list[ClassLabel] | None = Field(
        default=None, exclude_if=is_none, description="As of a prediction, with `multi_label`."
    )
    known: bool
    p_value: float | None
    prediction_set: list[ClassLabel] | None
    top_k: list[RankedLabelOut]
    evidence: list[EvidenceOut]


class RegistrationLine(BaseModel):
    """A line of the results of a registration: what became of a file."""

    file: str
    label: ClassLabel
    id: ImageIdentifier
    status: Literal["created", "duplicate"]


class ResultLine(RootModel[PredictionLine | RegistrationLine | FileErrorOut]):
    """A line of results, by the kind of the job; one with a `problem` could not be used."""

    model_config = ConfigDict(json_schema_extra={"examples": _JOB["errors"]})
