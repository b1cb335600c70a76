"""Request quota: what one request takes of the rate limits of its key and its tenant.

Told by the fields ``RateLimit`` and ``RateLimit-Policy`` (draft-ietf-httpapi-ratelimit-headers-11).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor
from typing import Literal

from service.access.limits import RateLimits
from service.problems import RateLimited
from service.quotas.gcra import Balance, Charge, Meters

# ASGI scope: the quota of a request that has any.
QUOTA_KEY = "handful.quota"
Unit = Literal["requests", "images"]


@dataclass(frozen=True, slots=True)
class Policy:
    """A quota policy.

    Attributes:
        name: What it is called in header fields.
        unit: What it counts.
        bucket: Whose counter.
        per_second: How much.
    """

    name: str
    unit: Unit
    bucket: str
    per_second: float

    @property
    def quota(self) -> int:
        """Units of a window."""
        return max(1, floor(self.per_second))

    @property
    def window(self) -> int:
        """Seconds in which they come again, rounded up."""
        return ceil(self.quota / self.per_second)


def policies_of(limited: RateLimits, whose: Literal["key", "tenant"], name: str) -> list[Policy]:
    """The policies of a key or of a tenant.

    Args:
        limited: Its limits.
        whose: Which of them it is.
        name: Its id or name.
    """
    rates: tuple[tuple[Unit, float | None], ...] = (
        ("requests", limited.requests_per_second),
        ("images", limited.images_per_second),
    )
    return [
        Policy(f"{whose}-{unit}", unit, f"{whose}/{name}/{unit}", rate)
        for unit, rate in rates
        if rate is not None
    ]


class RequestQuota:
    """The quota of one request.

    Args:
        policies: That it is under.
        meters: Where they are counted.
    """

    def __init__(self, policies: Sequence[Policy], meters: Meters) -> None:
        self._policies = policies
        self._meters = meters
        self._balances: dict[str, Balance] = {}

    async def take(self, unit: Unit, amount: int) -> None:
        """Take so much, of all policies or of none.

        Raises:
            RateLimited: One of them has not enough; says when it will.
        """
        asked = [policy for policy in self._policies if policy.unit == unit]
        if not asked:
            return
        charges = [Charge(one.bucket, amount, one.per_second) for one in asked]
        found = self._meters.take(charges)
        balances = found if isinstance(found, list) else await found
        self._balances |= {one.name: left for one, left in zip(asked, balances, strict=True)}
        longest = max(range(len(asked)), key=lambda i: balances[i].wait)
        if balances[longest].wait:
            raise self._refusal(asked[longest], balances[longest].wait)

    def fields(self) -> list[tuple[bytes, bytes]]:
        """Header fields of the answer: the policies, and what is left of those that were used."""
        if not self._balances:
            return []
        policies = ", ".join(f'"{one.name}";q={one.quota};w={one.window}' for one in self._policies)
        left = ", ".join(
            f'"{name}";r={floor(one.left)}' + (f";t={ceil(one.more)}" if one.more else "")
            for name, one in self._balances.items()
        )
        return [(b"ratelimit-policy", policies.encode()), (b"ratelimit", left.encode())]

    def _refusal(self, policy: Policy, wait: float) -> RateLimited:
        whose = "this key" if policy.name.startswith("key") else "the tenant of this key"
        seconds = max(1, ceil(wait))
        return RateLimited(
            f"That is more than the {policy.per_second:g} {policy.unit} a second that {whose} may"
            f" send. Nothing was done; send the request again in {seconds} s.",
            headers={"retry-after": str(seconds)},
        )
