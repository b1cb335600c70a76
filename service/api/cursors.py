"""Cursors of pages: a page begins behind an item, by its time and id, whatever comes or goes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import Query
from pydantic import WithJsonSchema

# Microseconds since 1970, up to the year 5138, and an id.
_PATTERN = r"^[0-9]{1,17}-[0-9a-f]{32}$"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Cursor = Annotated[
    str | None,
    Query(
        pattern=_PATTERN,
        description="`next_cursor` of the page before, asked with the same parameters.",
    ),
    WithJsonSchema({"type": "string", "pattern": _PATTERN}),
]
"""Query parameter of a list."""


def cursor_of(at: datetime, item_id: str) -> str:
    """The cursor behind an item."""
    return f"{(at - _EPOCH) // timedelta(microseconds=1)}-{item_id}"


def position(cursor: str | None) -> tuple[datetime, str] | None:
    """The time and id of the item that a page begins behind; None: it is the first page."""
    if cursor is None:
        return None
    at, _, item_id = cursor.partition("-")
    return _EPOCH + timedelta(microseconds=int(at)), item_id
