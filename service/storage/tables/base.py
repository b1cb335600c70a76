"""The base of all tables."""

from __future__ import annotations

from sqlalchemy import Table
from sqlalchemy.orm import DeclarativeBase


class Base(DeclarativeBase):
    """Base of all tables."""


def table_of(row: type[Base]) -> Table:
    """The table of a mapped class, for statements that need no mapped objects."""
    return Base.metadata.tables[row.__tablename__]
