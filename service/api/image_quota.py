"""Image quota: images of a request count as soon as their number is known, before decoding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from service.quotas.request_quota import QUOTA_KEY, RequestQuota


async def count_images(scope: Mapping[str, Any], number: int) -> None:
    """Count images of a request.

    Args:
        scope: ASGI's, of the request.
        number: Of its images.

    Raises:
        RateLimited: There are more than its key or its tenant may send a second.
    """
    quota: RequestQuota | None = scope.get(QUOTA_KEY)
    if quota is not None:
        await quota.take("images", number)
