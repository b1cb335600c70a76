"""``/v1/keys``: keys of a tenant, for its administrators; of all tenants, for operators."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from sqlalchemy.orm import Session

from service.access.limits import RateLimits
from service.access.principal import Principal, Scope, principal_of
from service.api.dependencies import ReadyParts
from service.api.json_route import JsonRoute
from service.api.keyed_requests import IdempotencyKey, request_mark
from service.api.offloading import run_blocking
from service.api.openapi.responses import BODY_PROBLEMS, KEYED_PROBLEMS, problems
from service.api.openapi.schema_types import KEY_ID_SCHEMA
from service.api.paging import NO_SUCH_PLACE, Paged
from service.api.schemas.keys import KeyIn, KeyList, KeyOut, NewKeyOut, OfTenant, tenant_asked
from service.composition import ServiceParts
from service.problems import (
    InvalidSettings,
    KeyNotFound,
    KeysNotUsed,
    StorageFull,
    TooManyKeys,
)
from service.storage.audit import AuditedKeys
from service.storage.idempotency import RequestMark
from service.storage.keys import KeyRecorder, create_key, list_keys, revoke_key, rotate_key
from service.storage.stored_keys import KeyTerms, StoredKey

router = APIRouter(prefix="/v1/keys", tags=["keys"], route_class=JsonRoute)

_DAY = 86_400
_FULL = StorageFull("There is no room for it on the disk. Free some, and send the request again.")
_TOO_MANY = TooManyKeys("The tenant has 1000 valid keys, the most that it may have. Revoke ...")
_NO_KEY = KeyNotFound("9f2c41d07ab35e86")

KeyId = Annotated[
    str,
    Path(
        description="The key's public id, which is its part in the middle.",
        examples=["9f2c41d07ab35e86"],
        json_schema_extra=KEY_ID_SCHEMA,
    ),
]


@router.post(
    "",
    status_code=201,
    summary="Make a key",
    responses=problems(
        KeysNotUsed(),
        InvalidSettings("A key with the scope admin is for all classifiers of its tenant..."),
        _TOO_MANY,
        _FULL,
        *BODY_PROBLEMS,
        *KEYED_PROBLEMS,
    ),
)
async def create_a_key(
    parts: ReadyParts,
    request: Request,
    response: Response,
    asked: KeyIn,
    idempotency_key: IdempotencyKey = None,
) -> NewKeyOut:
    """Its text is in this answer and nowhere else: only a digest of it is kept.

    A key is of the tenant of the administrator who makes it. An operator, who is an administrator
    of the default tenant, makes keys of any tenant, and a tenant begins with its first key. With an
    `Idempotency-Key` one is made, and whoever sends the request again is told so (409).
    """
    principal = _administrator(request, parts)
    terms = _terms(principal, asked)
    recorder = _recorder(principal, parts, await request_mark(request, parts))
    key, text = await run_blocking(create_key, parts.engine, terms, recorder)
    await _looked_at(parts)
    response.headers["cache-control"] = "no-store"
    return NewKeyOut.made(key, text)


@router.get("", summary="List keys", responses=problems(KeysNotUsed(), NO_SUCH_PLACE))
async def list_the_keys(
    parts: ReadyParts, request: Request, page: Paged, tenant: OfTenant = None
) -> KeyList:
    """Keys of the tenant, without what makes them keys; also what has ended of late.

    All of them, or with `limit` a page.
    """
    principal = _administrator(request, parts)
    keys = await run_blocking(list_keys, parts.engine, tenant_asked(principal, tenant))
    shown, following = page.of(keys, attrgetter("key_id"))
    return KeyList(keys=[KeyOut.of(key) for key in shown], next_cursor=following)


@router.post(
    "/{key_id}/rotate",
    status_code=201,
    summary="Replace a key",
    responses=problems(KeysNotUsed(), _NO_KEY, _TOO_MANY, _FULL, *KEYED_PROBLEMS),
)
async def rotate_a_key(
    key_id: KeyId,
    parts: ReadyParts,
    request: Request,
    response: Response,
    grace_seconds: Annotated[
        int,
        Query(ge=0, le=90 * _DAY, description="How long the old key stays valid beside the new."),
    ] = _DAY,
    idempotency_key: IdempotencyKey = None,
) -> NewKeyOut:
    """Another key on the same terms; the old one ends after a while, a day by default."""
    principal = _administrator(request, parts)
    recorder = _recorder(principal, parts, await request_mark(request, parts))
    key, text = await run_blocking(
        rotate_key,
        parts.engine,
        key_id,
        _whose(principal),
        timedelta(seconds=grace_seconds),
        recorder,
    )
    await _looked_at(parts)
    response.headers["cache-control"] = "no-store"
    return NewKeyOut.made(key, text)


@router.delete(
    "/{key_id}",
    status_code=204,
    summary="Revoke a key",
    responses=problems(KeysNotUsed(), _NO_KEY, _FULL),
)
async def revoke_a_key(key_id: KeyId, parts: ReadyParts, request: Request) -> None:
    """It is not valid any more, at once here and within 5 seconds in every other process."""
    principal = _administrator(request, parts)
    await run_blocking(
        revoke_key, parts.engine, key_id, _whose(principal), _recorder(principal, parts)
    )
    await _looked_at(parts)


def _administrator(request: Request, parts: ServiceParts) -> Principal:
    if parts.settings.auth != "keys":
        raise KeysNotUsed
    return principal_of(request.scope)


def _recorder(
    principal: Principal, parts: ServiceParts, mark: RequestMark | None = None
) -> KeyRecorder:
    audited = AuditedKeys(principal) if parts.settings.audit_days else None

    def record(session: Session, action: str, key: StoredKey) -> None:
        if mark is not None and action == "key.created":
            mark.answered(session, None)
        if audited is not None:
            audited(session, action, key)

    return record


def _whose(principal: Principal) -> str | None:
    """Whose keys a principal administers; None: everybody's."""
    return None if principal.operates else principal.tenant


def _terms(principal: Principal, asked: KeyIn) -> KeyTerms:
    """Terms of a key as they were asked for.

    Raises:
        InvalidSettings: They contradict each other.
        NotAllowed: They are of another tenant.
    """
    if Scope.ADMIN in asked.scopes and asked.classifiers is not None:
        raise InvalidSettings(
            "A key with the scope admin is for all classifiers of its tenant, as its holder can"
            " make other keys. Leave out the classifiers, or the scope."
        )
    if asked.expires_at is not None and asked.expires_at <= datetime.now(UTC):
        raise InvalidSettings("The key would have expired already: expires_at is not in the future")
    return KeyTerms(
        tenant=tenant_asked(principal, asked.tenant),
        name=asked.name,
        scopes=frozenset(asked.scopes),
        classifiers=None if asked.classifiers is None else frozenset(asked.classifiers),
        expires_at=asked.expires_at,
        rates=RateLimits(
            requests_per_second=asked.requests_per_second,
            images_per_second=asked.images_per_second,
        ),
    )


async def _looked_at(parts: ServiceParts) -> None:
    """Let this process know at once what has changed."""
    if parts.keys is not None:
        await run_blocking(parts.keys.look)
