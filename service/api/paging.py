"""Pages of lists: ``limit`` and ``cursor`` (keyset pagination: what comes after the last one).

A page goes on after the last item of the one before, wherever that stands by now, so nothing that
stays is left out or told twice while others are added and removed.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeVar

from fastapi import Depends, Query
from pydantic import Field, WithJsonSchema

from service.access.principal import Principal
from service.api.openapi.schema_types import METADATA_PATTERN, TEXT_PATTERN
from service.name_validation import CLASSIFIER
from service.problems import InvalidCursor
from service.storage.listing import Listing
from service.storage.records import ClassifierRecord
from service.tenancy import bare

T = TypeVar("T")
MOST = 1000
"""Items of a page at most."""
# That a database can count.
_MOST_IMAGES = 2**62
NO_SUCH_PLACE = InvalidCursor("What the page before ended with is gone. Begin with the first page.")

Limit = Annotated[
    int | None,
    Query(ge=1, le=MOST, description="Items of a page at most; without it there is one page."),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": MOST}),
]
Cursor = Annotated[
    str | None,
    Query(
        max_length=2000,
        description="`next_cursor` of the page before, asked with the same parameters.",
    ),
    WithJsonSchema({"type": "string", "maxLength": 2000}),
]


class Page:
    """A dependency: which part of a list that is in memory is asked for."""

    def __init__(self, limit: Limit = None, cursor: Cursor = None) -> None:
        self._limit = limit
        self._after = None if cursor is None else _read(cursor)

    def of(self, items: Sequence[T], key: Callable[[T], str]) -> tuple[Sequence[T], str | None]:
        """Its items, and the cursor of the next page; None: there is none.

        Args:
            items: Of the whole list.
            key: What tells one from all others.

        Raises:
            InvalidCursor: The last item of the page before is gone.
        """
        start = 0
        if self._after is not None:
            places = (place for place, item in enumerate(items) if key(item) == self._after)
            if (found := next(places, None)) is None:
                raise NO_SUCH_PLACE
            start = found + 1
        shown = items[start : None if self._limit is None else start + self._limit]
        if not shown or start + len(shown) == len(items):
            return shown, None
        return shown, _written(key(shown[-1]))


Paged = Annotated[Page, Depends()]


class ListedClassifiers:
    """A dependency: which classifiers are asked for, in which order."""

    def __init__(
        self,
        limit: Limit = None,
        cursor: Cursor = None,
        prefix: Annotated[
            str,
            Query(
                max_length=64,
                pattern=TEXT_PATTERN,
                description="Only those whose names begin so.",
            ),
        ] = "",
        metadata: Annotated[
            list[Annotated[str, Field(max_length=600, pattern=METADATA_PATTERN)]],
            Query(
                max_length=8,
                description="Only those with that metadata, as `team=maps`; all of them, where it"
                " is sent several times.",
                examples=[["team=maps"]],
            ),
        ] = [],  # noqa: B006 - FastAPI makes one of each request
        problem: Annotated[
            bool | None,
            Query(description="Only those that cannot answer; or with false, that can."),
            WithJsonSchema({"type": "boolean"}),
        ] = None,
        order: Annotated[
            Literal["name", "created", "updated", "images"],
            Query(description="What they are ordered by."),
        ] = "name",
        descending: Annotated[bool, Query(description="Whether the greatest comes first.")] = False,
    ) -> None:
        self._limit, self._order, self._descending = limit, order, descending
        self._prefix, self._problem = prefix, problem
        self._metadata = [(one.partition("=")[0], one.partition("=")[2]) for one in metadata]
        self._after = None if cursor is None else _place(cursor, order)

    def listing(self, principal: Principal) -> Listing:
        """What is asked of storage, on behalf of somebody."""
        return Listing(
            tenant=principal.tenant,
            only=principal.classifiers,
            prefix=self._prefix,
            metadata=tuple(self._metadata),
            problem=self._problem,
            order=self._order,
            descending=self._descending,
            limit=self._limit,
            after=self._after,
        )

    def cursor_after(self, last: ClassifierRecord) -> str:
        """The cursor of the page after this one."""
        key = {
            "name": bare(last.name),
            "created": last.created_at.isoformat(),
            "updated": last.updated_at.isoformat(),
            "images": last.n_images,
        }[self._order]
        return _written([self._order, key, bare(last.name)])


Listed = Annotated[ListedClassifiers, Depends()]


def _place(cursor: str, order: str) -> tuple[str | int | datetime, str]:
    found = _read(cursor)
    try:
        of, key, name = found
        if of != order or not re.fullmatch(CLASSIFIER, name):
            raise ValueError
        if order == "images":
            if not 0 <= (images := int(key)) <= _MOST_IMAGES:
                raise ValueError
            return images, name
        if order == "name":
            return name, name
        return datetime.fromisoformat(key).astimezone(UTC), name
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidCursor(
            f"The cursor is of a list in another order than {order!r}. Ask for the first page, and"
            " for the next one with the same parameters."
        ) from error


def _written(place: object) -> str:
    text = json.dumps(place, ensure_ascii=False).encode()
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def _read(cursor: str) -> Any:
    try:
        padded = cursor.encode() + b"=" * (-len(cursor) % 4)
        return json.loads(base64.urlsafe_b64decode(padded))
    except ValueError as error:
        raise InvalidCursor(
            f"The cursor {cursor[:50]!r} is none that an answer has given. Begin with the first"
            " page, without a cursor."
        ) from error
