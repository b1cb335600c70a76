"""``/v1/usage``: what a tenant may take, and what it has taken."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from service.access.limits import TenantLimits
from service.access.principal import principal_of
from service.api.dependencies import ReadyParts
from service.api.offloading import run_blocking
from service.api.openapi.responses import problems
from service.storage.tenant_limits import usage
from service.tenancy import DEFAULT_TENANT

router = APIRouter(prefix="/v1/usage", tags=["keys"])


class UseOf(BaseModel):
    """Something that a tenant owns, and how much of it it may own."""

    used: int = Field(ge=0)
    limit: int | None = Field(description="The most; null: there is no limit.")


class UsageOut(BaseModel):
    """Limits and use of a tenant."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "tenant": "lab",
                    "requests_per_second": 20.0,
                    "images_per_second": None,
                    "classifiers": {"used": 2, "limit": 10},
                    "classes": {"used": 20, "limit": None},
                    "images": {"used": 160, "limit": 5000},
                    "bytes": {"used": 41943040, "limit": None},
                }
            ]
        }
    )

    tenant: str | None = Field(description="Whose; null: the default tenant's.")
    requests_per_second: float | None = Field(description="Of all its keys together, if limited.")
    images_per_second: float | None = Field(description="In these requests, if limited.")
    classifiers: UseOf
    classes: UseOf = Field(description="Of all classifiers.")
    images: UseOf = Field(description="Support images of all classifiers.")
    bytes: UseOf = Field(description="Of these images, as they were uploaded; each counts once.")


@router.get("", summary="Limits and use", responses=problems())
async def get_usage(parts: ReadyParts, request: Request) -> UsageOut:
    """Of the tenant of the key. Requests beyond a rate are 429, changes beyond the others 403."""
    tenant = principal_of(request.scope).tenant
    limits = TenantLimits() if parts.keys is None else parts.keys.limits(tenant)
    used = asdict(await run_blocking(usage, parts.engine, tenant))
    return UsageOut(
        tenant=None if tenant == DEFAULT_TENANT else tenant,
        requests_per_second=limits.requests_per_second,
        images_per_second=limits.images_per_second,
        **{what: UseOf(used=used[what], limit=getattr(limits, what)) for what in used},
    )
