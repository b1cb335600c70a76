"""Rows of all tables, read from end to end: each as no version of Handful would write it?"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Engine,
    Float,
    Integer,
    LargeBinary,
    Row,
    String,
    Table,
    and_,
    bindparam,
    select,
    tuple_,
    update,
)
from sqlalchemy.types import TypeEngine

from service.problems import StorageFull, StorageUnavailable
from service.storage.damage.finding import Damage, Kind
from service.storage.damage.structure import is_damage
from service.storage.errors import Damaged
from service.storage.tables import (
    Base,
    ClassRow,
    IdempotencyRow,
    ImageRow,
    Moment,
    PromptedRow,
    PromptRow,
    ReEmbeddedRow,
    RememberedRow,
    TrainedPromptsRow,
    Unreadable,
    ViewsRow,
    checksum,
)
from service.storage.transactions import writing

Pace = Callable[[int], None]
"""Called with bytes that were read, about; waits so that they do not come too fast, may raise."""

# Rows of a page, and of a row what it takes beside its bytes.
_PAGE, _ROW = 256, 200
_PLAIN: tuple[tuple[type[TypeEngine[Any]], tuple[type, ...]], ...] = (
    (Boolean, (bool,)),
    (Integer, (int,)),
    (Float, (float, int)),
    (String, (str,)),
    (LargeBinary, (bytes,)),
    (Moment, (datetime,)),
)


@dataclass(frozen=True, slots=True)
class _Checked:
    """Columns that a checksum is of."""

    kind: Kind
    columns: tuple[str, ...]
    said: str


_CHECKED: Mapping[str, _Checked] = {
    **{
        row.__tablename__: _Checked(
            "embeddings", ("frozen", "corrected"), "embeddings of an image are damaged"
        )
        for row in (ImageRow, ViewsRow, ReEmbeddedRow, PromptedRow, RememberedRow)
    },
    ClassRow.__tablename__: _Checked(
        "text", ("text_embedding",), "the embedding of a class's name is damaged"
    ),
    PromptRow.__tablename__: _Checked(
        "text", ("embedding",), "an embedding of the cache of prompts is damaged"
    ),
}
_PROMPTS = TrainedPromptsRow.__tablename__
# Rows of a page where one may have 16 MiB, or 1 MiB.
_PAGES = {_PROMPTS: 1, IdempotencyRow.__tablename__: 16}


def damaged_rows(engine: Engine, table: Table, pace: Pace, *, fills: bool) -> Iterator[Damage]:
    """Rows of a table that cannot be read, or have other bytes than were written; blocks.

    Each page is a statement of its own, so nobody waits for it. Bytes of images are not read here.

    Args:
        engine: Of the database.
        table: One of those that there are.
        pace: Called after each page.
        fills: Whether checksums that rows of earlier versions lack are written down.

    Raises:
        StorageUnavailable: The database cannot be used now, and not for its damage.
    """
    keys = list(table.primary_key.columns)
    skipped = {"content"} if table.name != _PROMPTS else set()
    columns = [column for column in table.columns if column.name not in skipped]
    after: tuple[Any, ...] | None = None
    while True:
        try:
            rows = _page(engine, columns, keys, after)
        except (Damaged, TypeError, ValueError):
            rows = []
            ids = _page(engine, keys, keys, after)
            for one in ids:
                try:
                    rows += _one(engine, columns, keys, one)
                except (Damaged, TypeError, ValueError) as error:
                    said = f"a row of {table.name} cannot be read: {error}"
                    yield Damage("row", said, table.name, tuple(one))
            last = ids[-1] if ids else None
        except StorageUnavailable as problem:
            if not is_damage(problem.__cause__):
                raise
            beyond = "" if after is None else f" beyond {after}"
            said = f"{table.name} cannot be read{beyond}: {problem.__cause__}"
            yield Damage("structure", said, table.name)
            return
        else:
            last = rows[-1] if rows else None
        missing: list[dict[str, Any]] = []
        for row in rows:
            yield from _looked_at(table, columns, keys, row, missing)
        if fills and missing:
            _fill(engine, table, keys, missing)
        if last is None:
            return
        after = tuple(getattr(last, key.name) for key in keys)
        pace(sum(map(_nbytes, rows)))


def all_tables() -> list[Table]:
    """All tables, in an order in which none comes before those that it refers to."""
    return list(Base.metadata.sorted_tables)


def _page(
    engine: Engine,
    columns: Sequence[ColumnElement[Any]],
    keys: Sequence[Column[Any]],
    after: tuple[Any, ...] | None,
) -> list[Row[Any]]:
    most = _PAGES.get(keys[0].table.name, _PAGE)
    statement = select(*columns).order_by(*keys).limit(most)
    if after is not None:
        beyond = keys[0] > after[0] if len(keys) == 1 else tuple_(*keys) > tuple_(*after)
        statement = statement.where(beyond)
    with engine.connect() as connection:
        return list(connection.execute(statement).all())


def _one(
    engine: Engine,
    columns: Sequence[ColumnElement[Any]],
    keys: Sequence[ColumnElement[Any]],
    key: Sequence[Any],
) -> list[Row[Any]]:
    which = and_(*(column == value for column, value in zip(keys, key, strict=True)))
    with engine.connect() as connection:
        return list(connection.execute(select(*columns).where(which)).all())


def _looked_at(
    table: Table,
    columns: Sequence[Any],
    keys: Sequence[Any],
    row: Row[Any],
    missing: list[dict[str, Any]],
) -> Iterator[Damage]:
    key = tuple(getattr(row, column.name) for column in keys)
    wrong = [column.name for column in columns if not _fits(column, getattr(row, column.name))]
    if wrong:
        said = f"a row of {table.name} cannot be read: its {', '.join(wrong)}"
        yield Damage("row", said, table.name, key)
        return
    if table.name == _PROMPTS and hashlib.sha256(row.content).hexdigest() != row.sha256:
        yield Damage("row", f"the file of the prompts {row.name!r} is damaged", table.name, key)
    checked = _CHECKED.get(table.name)
    if checked is None:
        return
    found = checksum(*(getattr(row, name) for name in checked.columns))
    if row.checksum is None:
        if found is not None:
            values = {f"of_{column.name}": one for column, one in zip(keys, key, strict=True)}
            missing.append({**values, "found": found})
    elif row.checksum != found:
        yield Damage(checked.kind, checked.said, table.name, key)


def _fits(column: Any, value: Any) -> bool:
    if value is None:
        return bool(column.nullable)
    if isinstance(value, Unreadable):
        return False
    for kind, types in _PLAIN:
        if isinstance(column.type, kind):
            return isinstance(value, types)
    return True


def _fill(
    engine: Engine, table: Table, keys: Sequence[Any], missing: Sequence[Mapping[str, Any]]
) -> None:
    """Write checksums of rows that have none; whoever writes a row meanwhile gives it one."""
    which = and_(*(column == bindparam(f"of_{column.name}") for column in keys))
    fill = (
        update(table).where(which, table.c.checksum.is_(None)).values(checksum=bindparam("found"))
    )
    try:
        with writing(engine) as session:
            session.connection().execute(fill, list(missing))
    except StorageFull:
        pass  # the next check tries again


def _nbytes(row: Row[Any]) -> int:
    return _ROW + sum(len(value) for value in row if isinstance(value, bytes))
