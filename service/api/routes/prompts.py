"""``/v1/prompts``: trained prompts of a tenant, which its classifiers may choose."""

from __future__ import annotations

from operator import attrgetter
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response
from sqlalchemy.orm import Session

from service.access.principal import Principal, principal_of
from service.api.dependencies import ReadyParts
from service.api.keyed_requests import IdempotencyKey, request_mark
from service.api.limiters import Limiters
from service.api.offloading import run_blocking
from service.api.openapi.media_types import binary
from service.api.openapi.responses import (
    BODY_PROBLEMS,
    KEYED_PROBLEMS,
    created,
    problems,
)
from service.api.openapi.schema_types import NAME_SCHEMA
from service.api.paging import Paged
from service.api.schemas.prompts import PromptsList, PromptsOut
from service.api.uploads.bodies import body_of
from service.composition import ServiceParts
from service.name_validation import checked_classifier
from service.problems import (
    ChangedMeanwhile,
    InvalidCursor,
    InvalidName,
    InvalidPrompts,
    PromptsExist,
    PromptsInUse,
    PromptsNotFound,
    StorageFull,
    TooManyPrompts,
)
from service.storage.audit import Entry, add_entry
from service.storage.idempotency import RequestMark
from service.storage.trained_prompts import PromptsRecord, PromptsRecorder

router = APIRouter(prefix="/v1/prompts", tags=["prompts"])

FILE_TYPE = "application/vnd.handful.prompts+safetensors"
"""Media type of the file; any other is taken for it."""
_NOT_FOUND = PromptsNotFound("satellite")
_NOT_A_NAME = InvalidName("'land/cover' cannot name prompts. Use 1 to 64 letters, digits, ...")
_FULL = StorageFull("There is no room for it on the disk. Free some, and send the request again.")


def _name(
    name: Annotated[
        str,
        Path(
            description="The prompts' name.",
            examples=["satellite"],
            json_schema_extra=NAME_SCHEMA,
        ),
    ],
) -> str:
    try:
        return checked_classifier(name)
    except InvalidName as error:
        detail = str(error.detail).replace("a classifier", "prompts")
        raise InvalidName(detail) from error


Name = Annotated[str, Depends(_name)]


@router.put(
    "/{name}",
    summary="Upload trained prompts",
    responses=created(PromptsOut)
    | problems(
        InvalidPrompts("The body was trained with ViT-B-16/openai, whose weights are not ..."),
        PromptsExist("satellite", "6b2f1c0e..."),
        TooManyPrompts("There are 100 prompts, the most that a tenant may have. DELETE ..."),
        ChangedMeanwhile("Somebody has just put or deleted prompts 'satellite'. Send ..."),
        _NOT_A_NAME,
        _FULL,
        *BODY_PROBLEMS,
        *KEYED_PROBLEMS,
    ),
    openapi_extra={"requestBody": {"required": True, "content": {FILE_TYPE: binary(FILE_TYPE)}}},
)
async def put_prompts(
    name: Name,
    parts: ReadyParts,
    request: Request,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> PromptsOut:
    """The `prompts.safetensors` of `handful train comma`, of 16 MiB at most; none of it is run.

    It is compared with the service's backbone first: the weights that the prompts were trained
    with, the layers and the widths of both towers. The same file again changes nothing; another one
    under a name that is taken is refused, as what was embedded with the first would not be
    comparable. The first prompts of a service load the backbone once more, which takes seconds.
    """
    mark = await request_mark(request, parts)
    content = await body_of(request)
    if not content:
        raise InvalidPrompts(
            "The body is empty. Send the file that handful train comma has written: curl -T "
            f"prompts.safetensors .../v1/prompts/{name}"
        )
    principal = principal_of(request.scope)
    record = _recorder(principal, parts, mark)
    # One at a time: each reads a file, and the first the model.
    async with Limiters.of(request).prompts:
        found, is_new = await run_blocking(
            parts.prompts.put, principal.tenant, name, content, record
        )
    response.status_code = 201 if is_new else 200
    return _shown(found, parts, principal)


@router.get(
    "",
    summary="List trained prompts",
    responses=problems(InvalidCursor("The cursor is none that an answer has given. ...")),
)
async def list_prompts(parts: ReadyParts, request: Request, page: Paged) -> PromptsList:
    """By their names. All of them, or with `limit` a page."""
    principal = principal_of(request.scope)
    found = await run_blocking(parts.prompts.all, principal.tenant)
    shown, following = page.of(found, attrgetter("name"))
    return PromptsList(
        prompts=[_shown(one, parts, principal) for one in shown], next_cursor=following
    )


@router.get(
    "/{name}", summary="Look at trained prompts", responses=problems(_NOT_FOUND, _NOT_A_NAME)
)
async def get_prompts(name: Name, parts: ReadyParts, request: Request) -> PromptsOut:
    """What they are, and which classifiers use them."""
    principal = principal_of(request.scope)
    found = await run_blocking(parts.prompts.find, principal.tenant, name)
    return _shown(found, parts, principal)


@router.delete(
    "/{name}",
    status_code=204,
    summary="Delete trained prompts",
    responses=problems(_NOT_FOUND, _NOT_A_NAME, PromptsInUse("satellite", ["land-cover"]), _FULL),
)
async def delete_prompts(name: Name, parts: ReadyParts, request: Request) -> None:
    """With all that was embedded with them; refused while a classifier uses them."""
    principal = principal_of(request.scope)
    record = _recorder(principal, parts)
    try:
        await run_blocking(parts.prompts.delete, principal.tenant, name, record)
    except PromptsInUse as error:
        raise PromptsInUse(name, [one for one in error.users if principal.may_use(one)]) from error


def _shown(record: PromptsRecord, parts: ServiceParts, principal: Principal) -> PromptsOut:
    return PromptsOut.of(record, parts.prompts.model, principal.may_use)


def _recorder(
    principal: Principal, parts: ServiceParts, mark: RequestMark | None = None
) -> PromptsRecorder:
    def record(session: Session, action: str, name: str, sha256: str) -> None:
        if mark is not None:
            mark.answered(session, None)
        if parts.settings.audit_days:
            add_entry(session, Entry.by(principal, action, prompts=name, sha256=sha256))

    return record
