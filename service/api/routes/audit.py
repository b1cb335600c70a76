"""``/v1/audit``: the audit log of a tenant, for its administrators."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from service.access.principal import principal_of
from service.api.dependencies import ReadyParts
from service.api.offloading import run_blocking
from service.api.openapi.responses import problems
from service.api.openapi.schema_types import TEXT_PATTERN, PointInTime
from service.api.schemas.keys import OfTenant, tenant_asked
from service.storage.audit import Filters, Logged, audit_page

router = APIRouter(prefix="/v1/audit", tags=["keys"])

_PAGE, _MOST = 100, 1000


class AuditEntry(BaseModel):
    """Something that was done, or was refused."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "b5e4bb2d7d4f4ad6a2ad0c3f5a4e4b0f",
                    "at": "2026-11-02T08:31:00Z",
                    "action": "classifier.changed",
                    "classifier": "land-cover",
                    "key_id": "9f2c41d07ab35e86",
                    "user": None,
                    "details": {
                        "request": "POST /v1/classifiers/land-cover/classes/forest/images",
                        "revision": 7,
                        "images_added": 3,
                    },
                }
            ]
        }
    )

    id: str
    at: datetime
    action: str = Field(
        description="`classifier.created`, `.changed`, `.renamed` (an entry for either name),"
        " `.deleted`, `.exported`; `key.created`,"
        " `.rotated`, `.revoked`; `session.created`, `.ended`; `job.begun`; `re-embedding`;"
        " `refused`, with how many `times` within seconds."
    )
    classifier: str | None
    key_id: str | None = Field(description="Of the key that it was done with.")
    user: str | None = Field(
        description="Who did it, where a proxy says; `(command)`: whoever is at the machine."
    )
    details: dict[str, Any] = Field(
        description="What was asked for, and what came of it: counts, revisions, labels,"
        " names that were given up or taken, classifiers whose images were taken."
    )


class AuditPage(BaseModel):
    """Entries, the newest first."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"entries": [], "next_cursor": None}]}
    )

    entries: list[AuditEntry]
    next_cursor: str | None = Field(description="`cursor` of the next page; null on the last.")


@router.get("", summary="Read the audit log", responses=problems())
async def read_audit_log(
    parts: ReadyParts,
    request: Request,
    limit: Annotated[int, Query(ge=1, le=_MOST, description="Most entries of a page.")] = _PAGE,
    cursor: Annotated[
        str | None,
        Query(
            pattern="^[0-9a-f]{32}$",
            description="`next_cursor` of the page before, asked with the same parameters.",
        ),
    ] = None,
    since: Annotated[PointInTime | None, Query(description="Not before that time.")] = None,
    until: Annotated[PointInTime | None, Query(description="Before that time.")] = None,
    key_id: Annotated[
        str | None,
        Query(description="Done with the key of that id.", max_length=64, pattern=TEXT_PATTERN),
    ] = None,
    classifier: Annotated[
        str | None,
        Query(
            description="Done to the classifier of that name.",
            max_length=64,
            pattern=TEXT_PATTERN,
        ),
    ] = None,
    action: Annotated[
        str | None,
        Query(description="Of that kind, as `key.created`.", max_length=64, pattern=TEXT_PATTERN),
    ] = None,
    tenant: OfTenant = None,
) -> AuditPage:
    """Of the tenant of the key; an operator may ask for that of another one.

    Changes are written in the transaction that makes them, so both are there or neither. Entries
    are kept for `HANDFUL_AUDIT_DAYS` days. Contents of images and keys are in none.
    """
    whose = tenant_asked(principal_of(request.scope), tenant)
    filters = Filters(since=since, until=until, key_id=key_id, classifier=classifier, action=action)
    found = await run_blocking(audit_page, parts.engine, whose, filters, limit + 1, cursor)
    page = found[:limit]
    return AuditPage(
        entries=[_shown(entry) for entry in page],
        next_cursor=page[-1].id if len(found) > limit else None,
    )


def _shown(entry: Logged) -> AuditEntry:
    return AuditEntry(
        id=entry.id,
        at=entry.at,
        action=entry.action,
        classifier=entry.classifier,
        key_id=entry.key_id,
        user=entry.user,
        details=dict(entry.details),
    )
