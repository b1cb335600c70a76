"""Limits: what a tenant or a key may take, a second and altogether."""

from __future__ import annotations

from dataclasses import dataclass, fields

LEAST_PER_SECOND = 0.001
"""The lowest rate: one in a quarter of an hour. A much lower one has no window in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimits:
    """Rate limits; None: there is none.

    Attributes:
        requests_per_second: Requests.
        images_per_second: Images in them.
    """

    requests_per_second: float | None = None
    images_per_second: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantLimits(RateLimits):
    """Limits of a tenant: rates, and what it may own; None: there is none.

    Attributes:
        classifiers: Classifiers.
        classes: Classes in all of them.
        images: Support images in all of them.
        bytes: Of these images, as they were uploaded.
    """

    classifiers: int | None = None
    classes: int | None = None
    images: int | None = None
    bytes: int | None = None

    def over(self, defaults: TenantLimits) -> TenantLimits:
        """These limits, with defaults in the place of those that were not set."""
        chosen = {
            field.name: getattr(defaults, field.name)
            if getattr(self, field.name) is None
            else getattr(self, field.name)
            for field in fields(self)
        }
        return TenantLimits(**chosen)


#: What of a tenant's property is limited.
OWNED = ("classifiers", "classes", "images", "bytes")

#: What nobody is limited by.
NO_RATES = RateLimits()
NO_LIMITS = TenantLimits()
