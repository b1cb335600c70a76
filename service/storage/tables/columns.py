"""Types of columns, which read what is damaged as :class:`Unreadable`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

from pydantic import TypeAdapter
from sqlalchemy import JSON, DateTime, Dialect, String, TypeDecorator


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """In the place of a value that cannot be read, so that its row does not cost the others."""

    stored: str


def _tolerant(read: Callable[[Any], Any] | None) -> Callable[[Any], Any]:
    def process(value: Any) -> Any:
        try:
            return value if read is None else read(value)
        except (TypeError, ValueError):
            return Unreadable(repr(value)[:100])

    return process


class Json(TypeDecorator[Any]):
    """JSON, or :class:`Unreadable`."""

    impl = JSON
    cache_ok = True

    def coerce_compared_value(self, op: Any, value: Any) -> Any:
        """Compare members as JSON does."""
        return self.impl_instance.coerce_compared_value(op, value)

    def result_processor(self, dialect: Dialect, coltype: Any) -> Callable[[Any], Any]:
        """Return what reads a stored value."""
        return _tolerant(super().result_processor(dialect, coltype))


class _Array(TypeDecorator[tuple[Any, ...]]):
    """A JSON array of one type as a tuple, or :class:`Unreadable`."""

    impl = JSON
    items: ClassVar[TypeAdapter[Any]]

    def result_processor(self, dialect: Dialect, coltype: Any) -> Callable[[Any], Any]:
        """Return what reads a stored value."""
        read = super().result_processor(dialect, coltype)
        return _tolerant(
            lambda stored: self.items.validate_python(stored if read is None else read(stored))
        )


class Strings(_Array):
    """A JSON array of strings as a tuple, or :class:`Unreadable`."""

    cache_ok = True
    items = TypeAdapter[Any](tuple[str, ...])


class Names(_Array):
    """A JSON array of strings as a tuple, None where there is none, or :class:`Unreadable`."""

    cache_ok = True
    items = TypeAdapter[Any](tuple[str, ...] | None)


class Ids(_Array):
    """A JSON array of identifiers as a tuple, or :class:`Unreadable`."""

    cache_ok = True
    items = TypeAdapter[Any](tuple[int, ...])


class Moment(TypeDecorator[datetime]):
    """A point in time, or :class:`Unreadable`.

    SQLite keeps no time zone, so it is given UTC, which is put back on what it returns.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Take a time of any zone."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the time in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)

    def result_processor(self, dialect: Dialect, coltype: Any) -> Callable[[Any], Any]:
        """Return what reads a stored value."""
        return _tolerant(super().result_processor(dialect, coltype))


# JSON or SQL's NULL, never JSON's.
NULLABLE_JSON = Json(none_as_null=True)


# Of a tenant and a name or a digest; SQLite, which minds no length, keeps the type that it has.
QUALIFIED = String(64).with_variant(String(129), "postgresql")
