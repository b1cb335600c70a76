"""Percentages and plurals, as sentences write them."""

from __future__ import annotations


def percent(share: float) -> str:
    """Percentage of a share between 0 and 1, whole; 0 % and 100 % only where they are exact."""
    whole = round(100 * share)
    if whole == 100 and share < 1:
        return "over 99 %"
    if whole == 0 and share > 0:
        return "under 1 %"
    return f"{whole} %"


def quantity(n: int, singular: str, plural: str | None = None) -> str:
    """A number with its noun or verb in the singular or the plural: ``1 image``, ``2 images``."""
    return f"{n} {singular if n == 1 else plural or singular + 's'}"
