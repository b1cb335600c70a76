"""Damage of a database is found: each kind of it, on both databases, and nothing else is taken
for it."""

from __future__ import annotations

import sqlite3
from datetime import timedelta

import pytest
from sqlalchemy import Engine, select, text, update

from service.problems import ClassifierDamaged
from service.storage.contents import Contents
from service.storage.damage import CheckTurns, Damage, find_damage
from service.storage.store import Store
from service.storage.tables import ClassRow, ContentRow, ImageRow, checksum, table_of
from tests.service.databases import only_sqlite
from tests.service.stored import OWN, create, loaded, support, write


def damage_of(engine: Engine, *, fills: bool = False) -> list[Damage]:
    found = find_damage(
        engine,
        Contents(engine),
        lambda _: None,
        fills=fills,
        buckets=True,
        begun=lambda _: None,
    )
    return list(found)


@pytest.fixture
def store(engine: Engine) -> Store:
    """A classifier with two images."""
    made = Store(engine, OWN)
    create(made, "a", "ant", "bee")
    write(made, "a", added=(support(1, "ant"), support(2, "bee")))
    return made


def test_what_is_sound_is_not_damaged(engine: Engine, store: Store) -> None:
    assert damage_of(engine) == []


@pytest.mark.parametrize("column", ["frozen", "corrected"])
def test_a_bit_of_an_embedding_is_noticed_by_the_check_and_by_who_reads_it(
    engine: Engine, store: Store, column: str
) -> None:
    [one] = [record for record in loaded(store, "a").support if record.class_id == 1]
    with engine.begin() as connection:
        stored = bytearray(connection.scalar(select(ImageRow.__table__.c[column])) or b"")
        stored[5] ^= 1  # still a finite number
        connection.execute(update(ImageRow).where(ImageRow.id == 1).values({column: bytes(stored)}))
    [found] = damage_of(engine)
    assert (found.kind, found.table, found.key) == ("embeddings", "images", (1,))
    assert found.uses == (f"/v1/classifiers/a/classes/ant/images/{one.public_id}",)
    with pytest.raises(ClassifierDamaged) as refused:
        store.load("a")
    assert f"embeddings of image {one.public_id} are not" in str(refused.value.detail)


def test_bytes_of_an_image_are_compared_with_its_digest(engine: Engine, store: Store) -> None:
    with engine.begin() as connection:
        connection.execute(update(ContentRow).where(ContentRow.image_id == 2).values(content=b"3"))
    [found] = damage_of(engine)
    assert (found.kind, found.table, found.key) == ("image", "image_contents", (2,))
    assert "/classes/bee/" in found.uses[0]


def test_the_embedding_of_a_name_is_compared(engine: Engine, store: Store) -> None:
    written = bytes(31) + b"1"
    with engine.begin() as connection:
        connection.execute(
            update(ClassRow)
            .where(ClassRow.id == 1)
            .values(text_embedding=bytes(32))
            .values(checksum=checksum(written))
        )
    [found] = damage_of(engine)
    assert (found.kind, found.uses) == ("text", ("/v1/classifiers/a",))
    with pytest.raises(ClassifierDamaged) as refused:
        store.load("a")
    assert "text embedding of class 'ant'" in str(refused.value.detail)


def test_a_row_that_no_version_writes_is_named(engine: Engine, store: Store) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE classifiers SET templates = '{\"a\": 1}'"))
    [found] = damage_of(engine)
    assert (found.kind, found.table, found.key) == ("row", "classifiers", (1,))
    assert "templates" in found.said
    assert found.uses == ("/v1/classifiers/a",)


@only_sqlite
def test_a_text_that_is_none_costs_its_row_alone(engine: Engine, store: Store) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE support SET filename = CAST(x'ff2e' AS TEXT) WHERE id = 1"))
        connection.execute(update(ContentRow).where(ContentRow.image_id == 2).values(content=b"3"))
    row, image = damage_of(engine)
    assert (row.kind, row.table, row.key) == ("row", "support", (1,))
    assert image.kind == "image"


@only_sqlite
def test_the_structure_is_checked(engine: Engine, store: Store) -> None:
    with sqlite3.connect(str(engine.url.database)) as connection:  # without foreign keys
        connection.execute("DELETE FROM images WHERE id = 1")
    connection.close()
    assert [found.kind for found in damage_of(engine)] == ["structure", "structure"]


def test_rows_of_earlier_versions_get_their_checksum_once(engine: Engine, store: Store) -> None:
    tables = [table_of(row) for row in (ImageRow, ClassRow)]
    with engine.begin() as connection:
        before = [connection.execute(select(t.c.id, t.c.checksum)).all() for t in tables]
        for table in tables:
            connection.execute(update(table).values(checksum=None))
    assert damage_of(engine) == []
    with engine.begin() as connection:
        assert connection.scalar(select(ImageRow.checksum).limit(1)) is None
    assert damage_of(engine, fills=True) == []
    with engine.begin() as connection:
        after = [connection.execute(select(t.c.id, t.c.checksum)).all() for t in tables]
    assert [sorted(rows) for rows in after] == [sorted(rows) for rows in before]
    assert all(row.checksum is not None for row in after[0])


def test_one_process_checks_and_all_see_what_it_found(engine: Engine) -> None:
    one, two = CheckTurns(engine, "1"), CheckTurns(engine, "2")
    day = timedelta(days=1)
    assert one.is_due(day)
    assert one.take()
    assert not two.is_due(day)
    assert not two.take()
    assert two.last() is None
    found = Damage("image", "gone", "image_contents", (3,), ("/v1/classifiers/ü",))
    one.end(1.5, [found], day)
    last = two.last()
    assert last is not None
    assert (last.damage, last.seconds) == ((found,), 1.5)
    assert not two.is_due(day)
    assert two.is_due(timedelta(hours=1))  # the setting was another one before
    two.ask()
    assert two.is_due(day)
    assert two.take()
    two.let_go()
    assert one.take()
