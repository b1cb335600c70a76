"""Requests that ask for a job: ``Prefer: respond-async`` (RFC 7240, 4.1), or what only a job does.

A zip to be predicted, and a folder, are answered by a job in any case; a zip to be registered where
the client prefers it.
"""

from __future__ import annotations

import json
import re
from functools import partial
from typing import Annotated, Any

from fastapi import Header, Request, Response
from pydantic import ValidationError
from sqlalchemy.orm import Session

from service.access.principal import principal_of
from service.api.dependencies import RECORDERS
from service.api.image_quota import count_images
from service.api.keyed_requests import request_mark
from service.api.middleware.bytes_in_flight import account_of
from service.api.middleware.idempotency import kept_answer
from service.api.offloading import run_blocking
from service.api.openapi.media_types import binary, json_of
from service.api.preferences import prefers_async
from service.api.schemas.jobs import JobFolderIn, JobOut
from service.api.uploads.image_uploads import ZIP_TYPES
from service.composition import ServiceParts
from service.jobs.accepting import Asked
from service.jobs.audited import audited_by
from service.problems import FolderNotAllowed, InvalidRequest
from service.storage.audit import Entry, write_entries
from service.storage.jobs import JobKind, JobRecord
from service.tenancy import DEFAULT_TENANT, bare, tenant_of

# Bytes of a JSON document that names a folder, which is a path and little else.
_SHORT = re.compile("[0-9]{1,5}")

Prefer = Annotated[
    str | None,
    Header(
        description="`respond-async` (RFC 7240): a zip that is to be registered is answered with"
        " 202 and a job that does it (`/v1/jobs`). A zip to be predicted and a `folder` always are;"
        " with anything else the preference has no effect.",
        examples=["respond-async"],
    ),
]


def with_job_input(body: dict[str, Any]) -> dict[str, Any]:
    """OpenAPI extra of a route whose body may be the input of a job, too."""
    zips = {kind: binary(kind) for kind in sorted(ZIP_TYPES)}
    # Generated clients send what is a file as the last of all kinds, which is what needs no job.
    content = {**zips, **body["requestBody"]["content"]}
    documents = [content["application/json"]["schema"], json_of("JobFolderIn")["schema"]]
    content["application/json"] = {"schema": {"anyOf": documents}}
    return {"requestBody": body["requestBody"] | {"content": content}}


JOB_ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {
        "model": JobOut,
        "description": "A job does it",
        "headers": {
            "Location": {"description": "Of the job.", "schema": {"type": "string"}},
            "Preference-Applied": {
                "description": "Where it was preferred.",
                "schema": {"type": "string", "const": "respond-async"},
            },
        },
    }
}
"""The answer to a request that a job does."""


async def accepted_job(
    request: Request,
    parts: ServiceParts,
    kind: JobKind,
    name: str,
    parameters: dict[str, Any],
) -> Response | None:
    """Take in the job that a request asks for.

    Args:
        request: Whose body is read only then.
        parts: Of the service.
        kind: Of the job.
        name: The classifier's, qualified.
        parameters: Of the job.

    Returns:
        The answer; None where it asks for no job.

    Raises as :class:`service.jobs.accepting.Accepting` and
    :func:`service.api.keyed_requests.request_mark`.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    asynchronous = prefers_async(request.headers.getlist("prefer"))
    folder: str | None = None
    length = request.headers.get("content-length", "")
    if media_type == "application/json" and _SHORT.fullmatch(length):
        folder = _folder(await request.body())
    is_zip = media_type in ZIP_TYPES and (asynchronous or kind == "predict")
    if not is_zip and folder is None:
        return None
    if folder is not None and tenant_of(name) != DEFAULT_TENANT:
        raise FolderNotAllowed(
            "Folders of the machine are its operator's, who is of the default tenant. Send a zip."
        )
    mark = await request_mark(request, parts)

    def answer(job: JobRecord) -> Response:
        applied = {"preference-applied": "respond-async"} if asynchronous else {}
        root_path = request.scope.get("root_path", "")
        where = {"location": f"{root_path}/v1/jobs/{job.id}"}
        body = JobOut.of(job).model_dump_json()
        return Response(body, 202, where | applied, "application/json")

    def marked(session: Session, job: JobRecord) -> None:
        """Keep the answer with the job: whoever asks again gets it, whenever the process ends."""
        if mark is not None:
            mark.answered(session, kept_answer(answer(job)))

    account = account_of(request)
    if request.scope.get(RECORDERS):  # what the job changes is written down with it, too
        principal = principal_of(request.scope)
        parameters = parameters | audited_by(principal)
    job = await parts.jobs.accept(
        Asked(
            kind=kind,
            tenant=tenant_of(name),
            classifier=name,
            parameters=parameters,
            zip=request.stream() if folder is None else None,
            folder=folder,
            written=lambda size: account.take(-size),
            counted=partial(count_images, request.scope),
            record=marked,
        )
    )
    if parts.bookkeeping is not None and parts.settings.audit_days:
        entry = Entry.by(
            principal_of(request.scope),
            "job.begun",
            bare(name),
            job=job.id,
            kind=str(kind),
            files=job.total,
        )
        await run_blocking(write_entries, parts.engine, [entry])
    return answer(job)


def _folder(body: bytes) -> str | None:
    """The folder that a document names; None where it is of another kind.

    Raises:
        InvalidRequest: It names none that can be one.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict) or "folder" not in document:
        return None
    try:
        return JobFolderIn.model_validate(document).folder
    except ValidationError as error:
        errors = [
            {"type": one["type"], "loc": ["body", *one["loc"]], "msg": one["msg"]}
            for one in error.errors()[:20]
        ]
        said = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in errors)
        raise InvalidRequest(said, errors=errors) from error
