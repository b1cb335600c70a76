"""A digest of a table says whether any cell of it is another, on each database the same."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import hypothesis.strategies as st
import pytest
from hypothesis import assume, given, settings
from sqlalchemy import Connection, create_engine, event

from service.moving.cells import Row, decoded_rows, encoded_row
from service.moving.digests import TableDigest, digest_of
from service.moving.errors import BackupError, MovingError
from service.moving.schema import MovedTable
from service.moving.writing import NewTables
from service.storage.tables import Base
from tests.service.moving.content import HEAD, Content, content_of, different, value

FEW = settings(max_examples=100, deadline=None, derandomize=True)


@pytest.fixture(scope="module")
def connection() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    event.listen(engine, "connect", lambda made, _: setattr(made, "isolation_level", None))
    event.listen(engine, "begin", lambda begun: begun.exec_driver_sql("BEGIN"))
    with engine.connect() as made:
        yield made
    engine.dispose()


@pytest.fixture(scope="module")
def tables(connection: Connection) -> NewTables:
    return NewTables(connection, HEAD)


def stored_digests(
    connection: Connection, tables: NewTables, content: Content
) -> dict[str, TableDigest]:
    """Of a database with this content, which is taken out again."""
    with connection.begin_nested() as all_of_it:
        for moved in HEAD.tables:
            tables.write(moved, content[moved.name])
        found = {moved.name: tables.digest(moved) for moved in HEAD.tables}
        all_of_it.rollback()
    return found


def changed(seed: int, content: Content) -> tuple[MovedTable, str, Content]:
    """A table, a column, and the content with another cell there."""
    random = Random(seed)
    filled = [moved for moved in HEAD.tables if content[moved.name]]
    assume(filled)
    moved = random.choice(filled)
    columns = Base.metadata.tables[moved.name].columns
    free = [
        name for name in moved.columns if name not in moved.key and not columns[name].foreign_keys
    ]
    assume(free)
    name = random.choice(free)
    place, rows = moved.columns.index(name), content[moved.name]
    at = random.randrange(len(rows))
    other = value(random, columns[name], moved.kinds[place])
    if columns[name].nullable and random.random() < 0.2:
        other = None
    assume(different(rows[at][place], other))
    row: Row = (*rows[at][:place], other, *rows[at][place + 1 :])
    return moved, name, content | {moved.name: [*rows[:at], row, *rows[at + 1 :]]}


def test_a_digest_notices_any_cell_that_was_changed(
    connection: Connection, tables: NewTables
) -> None:
    kinds = set()

    @settings(FEW, max_examples=40)
    @given(seed=st.integers(0, 2**32))
    def change_one(seed: int) -> None:
        content = content_of(seed)
        moved, name, other = changed(seed, content)
        before = stored_digests(connection, tables, content)
        assert before == {one.name: digest_of(content[one.name], one) for one in HEAD.tables}
        try:
            after = stored_digests(connection, tables, other)
        except MovingError:
            assume(False)  # the other value is there already, and has to be unique
        assert {one for one in before if before[one] != after[one]} == {moved.name}
        kinds.add(moved.kinds[moved.columns.index(name)])

    change_one()
    assert len(kinds) >= 6, kinds


@FEW
@given(seed=st.integers(0, 2**32))
def test_rows_are_read_from_their_encoding_as_they_were(seed: int) -> None:
    content = content_of(seed)
    for moved in HEAD.tables:
        rows = content[moved.name]
        data = b"".join(encoded_row(row, moved.kinds) for row in rows)
        again = list(decoded_rows(data, moved.kinds))
        assert again == rows


@settings(FEW, max_examples=300)
@given(data=st.binary(max_size=60), of=st.sampled_from(HEAD.tables))
def test_any_bytes_are_rows_or_refused(data: bytes, of: MovedTable) -> None:
    try:
        rows = list(decoded_rows(data, of.kinds))
    except BackupError:
        return
    assert b"".join(encoded_row(row, of.kinds) for row in rows) == data
