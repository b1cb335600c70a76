"""Preferences of clients (RFC 7240)."""

from __future__ import annotations

from collections.abc import Iterable


def prefers_async(fields: Iterable[str]) -> bool:
    """Whether ``Prefer`` fields of a request ask for ``respond-async`` (4.1)."""
    return any(
        preference.partition(";")[0].strip().lower() == "respond-async"
        for field in fields
        for preference in field.split(",")
    )
