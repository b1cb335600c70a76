"""Settings of access: whom the service answers, and how much."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from service.access.limits import LEAST_PER_SECOND, TenantLimits


class AccessSettings(BaseModel):
    """Settings of access: whom the service answers, and how much."""

    auth: Literal["none", "keys", "proxy"] = Field(
        "none",
        description="Whom the service answers: everybody; who sends a key (handful keys create); or"
        " whom a proxy of trusted_proxies has signed in, as its X-Forwarded-User says.",
    )
    audit_days: float = Field(
        90,
        ge=0,
        le=36_500,
        description="Days that entries of the audit log are kept; 0 for no log. There is one where"
        " auth is not none.",
    )
    rate_limits: Literal["machine", "database"] = Field(
        "machine",
        description="What counts requests and images for rate limits: each machine for itself, or"
        " the PostgreSQL database for all replicas together, at a statement or two a request.",
    )
    tenant_requests_per_second: float | None = Field(
        None,
        ge=LEAST_PER_SECOND,
        description="Most requests a second of a tenant that was given no other limit.",
    )
    tenant_images_per_second: float | None = Field(
        None, ge=LEAST_PER_SECOND, description="Most images a second in them, likewise."
    )
    tenant_classifiers: int | None = Field(
        None, gt=0, description="Most classifiers of a tenant that was given no other limit."
    )
    tenant_classes: int | None = Field(None, gt=0, description="Most classes in all of them.")
    tenant_images: int | None = Field(None, gt=0, description="Most support images in all of them.")
    tenant_bytes: int | None = Field(
        None, gt=0, description="Most bytes of these images, as they were uploaded."
    )

    @property
    def tenant_limits(self) -> TenantLimits:
        """Limits of tenants that were given none."""
        return TenantLimits(
            requests_per_second=self.tenant_requests_per_second,
            images_per_second=self.tenant_images_per_second,
            classifiers=self.tenant_classifiers,
            classes=self.tenant_classes,
            images=self.tenant_images,
            bytes=self.tenant_bytes,
        )
