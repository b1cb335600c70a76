"""``/v1/jobs``: long work that was asked for with ``Prefer: respond-async``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

import anyio
import anyio.to_thread
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from starlette.responses import StreamingResponse

from service.access.principal import Principal, principal_of
from service.api.access_control import SESSION_KEY, OpenSession
from service.api.cursors import Cursor, cursor_of, position
from service.api.dependencies import ReadyParts
from service.api.event_streams import EVENT_SCHEMA, MEDIA_TYPE, job_events, last_event
from service.api.limiters import Limiters
from service.api.middleware.head_and_options import HEAD
from service.api.offloading import run_blocking
from service.api.openapi.responses import problems
from service.api.openapi.schema_types import IMAGE_ID_SCHEMA, NAME_SCHEMA
from service.api.schemas.jobs import JobList, JobOut, ResultLine
from service.composition import ServiceParts
from service.jobs.job_folder import JobFolder
from service.name_validation import checked_classifier
from service.problems import InvalidName, JobElsewhere, JobNotFound, StorageFull, TooManyJobs
from service.storage.jobs import JobRecord, JobState
from service.storage.sessions import find_session
from service.tenancy import bare, qualified

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

JobId = Annotated[
    str,
    Path(
        description="The job's id.",
        examples=["6f1c0c3f5a4e4b0f8f0a5f0b7c9d2e11"],
        json_schema_extra=IMAGE_ID_SCHEMA,
    ),
]


async def _found(job_id: JobId, parts: ReadyParts, request: Request) -> JobRecord:
    job = await run_blocking(_known, parts, principal_of(request.scope), job_id)
    if job is None:
        raise JobNotFound(job_id)
    return job


def _known(parts: ServiceParts, principal: Principal, job_id: str) -> JobRecord | None:
    """A job, if somebody may know of it.

    A key that is for some classifiers may know of jobs of these, but of none whose classifier was
    deleted: the key may be for another one of that name.
    """
    job = parts.jobs.stored.get(job_id, principal.tenant)
    if job is None or principal.classifiers is None:
        return job
    mine = bare(job.classifier) in principal.classifiers
    return job if mine and parts.jobs.stored.name_of(job) == job.classifier else None


Found = Annotated[JobRecord, Depends(_found)]
"""The job of the id in the path, if whoever asks may know of it."""
# Jobs of a page, where that is not asked, and at most.
_PAGE, _MOST = 20, 100
_NOT_FOUND = JobNotFound("6f1c0c3f5a4e4b0f8f0a5f0b7c9d2e11")
_ELSEWHERE = JobElsewhere("The results of the job lie on another machine of the service. Send ...")
_FULL = StorageFull("There is no room for it on the disk. Free some, and send the request again.")


@router.get(
    "", summary="List jobs", responses=problems(InvalidName("'land/cover' cannot be a name: ..."))
)
async def list_jobs(
    parts: ReadyParts,
    request: Request,
    limit: Annotated[int, Query(ge=1, le=_MOST, description="Most jobs of a page.")] = _PAGE,
    cursor: Cursor = None,
    state: Annotated[JobState | None, Query(description="Only jobs in that state.")] = None,
    classifier: Annotated[
        str | None,
        Query(description="Only jobs of that classifier.", json_schema_extra=NAME_SCHEMA),
    ] = None,
) -> JobList:
    """The newest first.

    A key that is for some classifiers is not told of jobs of a classifier that was deleted.
    """
    principal = principal_of(request.scope)
    names = principal.classifiers
    if classifier is not None:
        checked_classifier(classifier)
        names = frozenset({classifier}) if names is None else names & {classifier}
    asked = None if names is None else [qualified(principal.tenant, name) for name in names]
    found = await run_blocking(
        parts.jobs.stored.page,
        principal.tenant,
        limit + 1,
        position(cursor),
        state,
        asked,
        of_living=principal.classifiers is not None,
    )
    page = found[:limit]
    following = None
    if len(found) > limit:
        following = cursor_of(page[-1].created_at, page[-1].id)
    return JobList(jobs=list(map(JobOut.of, page)), next_cursor=following)


@router.get("/{job_id}", summary="Get a job", responses=problems(_NOT_FOUND))
async def get_job(job: Found) -> JobOut:
    """How far it is, or how it has ended."""
    return JobOut.of(job)


@router.delete(
    "/{job_id}",
    status_code=204,
    response_model=None,
    summary="Cancel a job, or remove one that has ended",
    responses=problems(_NOT_FOUND, _FULL)
    | {
        202: {"model": JobOut, "description": "It ends soon"},
        204: {"description": "It was removed"},
    },
)
async def delete_job(job: Found, parts: ReadyParts) -> Response:
    """202: it ends after the piece that it is at. 204: it had ended, and is gone with its results.

    What was predicted stays among the results; what was registered stays registered.
    """
    if job.ended:
        await run_blocking(parts.jobs.stored.remove, job.id, job.tenant)
        await run_blocking(parts.jobs.folders.of(job.id).remove)
        return Response(status_code=204)
    now = await run_blocking(parts.jobs.stored.cancel, job.id, job.tenant)
    if now is None:
        raise JobNotFound(job.id)
    if now.ended:
        await run_blocking(parts.jobs.folders.of(job.id).drop_input)
    return Response(JobOut.of(now).model_dump_json(), 202, media_type="application/json")


@router.get(
    "/{job_id}/results",
    summary="Get the results of a job",
    response_class=Response,
    responses=problems(_NOT_FOUND, _ELSEWHERE)
    | {
        200: {
            "model": ResultLine,
            "content": {"application/jsonl": {"schema": {"type": "string"}}},
            "description": "JSON lines, each a `ResultLine`",
        }
    },
)
async def get_results(job: Found, parts: ReadyParts) -> Response:
    """JSON lines, one a file that is done, in the order of the zip or of the names in the folder.

    Of a prediction a line has the members of a prediction, and the `file`; of a registration the
    `label`, the `id` and the `status` of the image. A line with a `problem` tells of a file that
    could not be used. Of a job that has not ended these are the lines so far.
    """
    folder = parts.jobs.folders.of(job.id)
    if job.result_bytes and not await run_blocking(folder.results.exists):
        raise JobElsewhere(
            "The results of the job lie on another machine of the service, or were removed from "
            "its disk. Send the request to that machine, or let all share one HANDFUL_DATA_DIR."
        )
    return StreamingResponse(
        _blocks(folder, job.result_bytes),
        headers={"content-length": str(job.result_bytes)},
        media_type="application/jsonl",
    )


@router.get(
    "/{job_id}/events",
    summary="Follow a job",
    response_class=Response,
    responses=problems(
        _NOT_FOUND,
        TooManyJobs("200 clients follow jobs of yours already. GET the job..."),
    )
    | {
        200: {
            "content": {MEDIA_TYPE: {"schema": EVENT_SCHEMA}},
            "description": "Server-sent events `progress` and `end`, with a `Job` as data",
        },
        204: {"description": "The job has ended, and the client knows how"},
    },
)
async def get_events(job: Found, parts: ReadyParts, request: Request) -> Response:
    """Server-sent events: `progress` whenever something was done, `end` in the end.

    The data of each is the whole job. With `Last-Event-ID`, which clients send by themselves when
    they come again, what they know already is not told again.
    """
    if job.ended and last_event(request) == job.version:
        return Response(status_code=204)  # clients come again unless they are told so
    limiter = Limiters.of(request).event_streams.of(job.tenant)
    if limiter.available_tokens < 1:
        raise TooManyJobs(
            f"{limiter.total_tokens:g} clients follow jobs of yours already. GET the job from time "
            "to time instead."
        )

    principal = principal_of(request.scope)
    key_id = principal.key_id
    session: OpenSession | None = request.scope.get(SESSION_KEY)

    def found() -> JobRecord | None:
        if session is not None and find_session(parts.engine, session.token) is None:
            return None
        return _known(parts, principal, job.id)

    async def look() -> JobRecord | None:
        if key_id is not None and parts.keys is not None and not parts.keys.is_valid(key_id):
            return None
        return await run_blocking(found)

    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    if request.scope.get(HEAD):
        return Response(headers=headers, media_type=MEDIA_TYPE)
    events = job_events(request, look, JobOut.of, limiter)
    return StreamingResponse(events, headers=headers, media_type=MEDIA_TYPE)


async def _blocks(folder: JobFolder, size: int) -> AsyncIterator[bytes]:
    blocks = folder.blocks(size)
    while block := await anyio.to_thread.run_sync(next, blocks, b""):
        yield block
