"""Damage of a database is found: each kind of it, on both databases, and nothing else is taken
for it."""

from __future__ import annotations

import hashlib
import sqlite3
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Engine, event, insert, select, text, update

from service.problems import ClassifierDamaged
from service.storage.contents import Contents
from service.storage.damage import Damage, find_damage
from service.storage.damage.rows import damaged_rows
from service.storage.store import Store
from service.storage.tables import (
    ClassRow,
    ContentRow,
    IdempotencyRow,
    ImageRow,
    PromptRow,
    RememberedRow,
    TrainedPromptsRow,
    checksum,
    table_of,
)
from service.storage.uses import uses_of_image
from tests.service.databases import only_sqlite
from tests.service.storage.test_picture_lookup import remember
from tests.service.stored import OWN, create, loaded, sha256_of, support, write


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


def test_large_rows_are_read_a_few_at_a_time(engine: Engine, store: Store) -> None:
    mebibyte, now = bytes(2**20), datetime.now(UTC)
    prompts = [
        {
            "name": f"p{number}",
            "sha256": hashlib.sha256(mebibyte).hexdigest(),
            "model": OWN.fingerprint,
            "fingerprint": OWN.fingerprint,
            "described": {},
            "content": mebibyte,
        }
        for number in range(3)
    ]
    answers = [
        {
            "digest": f"{number:064x}",
            "request": "r",
            "fingerprint": "f",
            "created_at": now,
            "body": mebibyte[: 2**16],
        }
        for number in range(20)
    ]
    with engine.begin() as connection:
        connection.execute(insert(TrainedPromptsRow), prompts)
        connection.execute(insert(IdempotencyRow), answers)
    pages: list[int] = []
    for table in map(table_of, (TrainedPromptsRow, IdempotencyRow)):
        assert list(damaged_rows(engine, table, pages.append, fills=False)) == []
    assert [round(nbytes / 2**16) for nbytes in pages] == [16, 16, 16, 16, 4]


def test_whose_it_is_is_told_with_the_tenant(engine: Engine) -> None:
    store = Store(engine, OWN)
    for name in ("a", "acme/a"):
        create(store, name, "ant")
        write(store, name, added=(support(1, "ant"),))
    with engine.begin() as connection:
        connection.execute(text("UPDATE classifiers SET templates = '{\"a\": 1}'"))
        connection.execute(update(ContentRow).values(content=b"3"))
    own, other, image, image_of_other = damage_of(engine)
    assert own.uses == ("/v1/classifiers/a",)
    assert other.uses == ("/v1/classifiers/a (tenant acme)",)
    assert "tenant" not in str(image)
    assert str(image_of_other).endswith("(tenant acme)")
    with engine.connect() as connection:  # answers to tenants do not say how they are called here
        assert "tenant" not in uses_of_image(connection, 2)[0]


def test_remembered_queries_and_prompts_are_told_by_their_paths_and_others_by_their_keys(
    engine: Engine,
) -> None:
    store = Store(engine, OWN)
    create(store, "acme/a", "ant")
    remember(engine, store, "acme/a", sha256_of(1), b"other bytes")
    prompts = {"tenant": "acme", "name": "p", "sha256": "0", "model": "m", "described": {}}
    text_of_nobody = {"key": "k", "used_at": 0, "embedding": b"1", "checksum": 1}
    with engine.begin() as connection:
        connection.execute(
            insert(TrainedPromptsRow),
            [{**prompts, "fingerprint": OWN.fingerprint, "content": b"1"}],
        )
        connection.execute(insert(PromptRow), [text_of_nobody])
        connection.execute(update(RememberedRow).values(corrected=b"1"))
    told = {found.table: str(found) for found in damage_of(engine)}
    query = f" /v1/classifiers/a/inbox/{sha256_of(1)[:32]} (tenant acme)"
    assert told["trained_prompts"].endswith(" /v1/prompts/p (tenant acme)")
    assert told["remembered"].endswith(query)
    assert told["remembered_contents"].endswith(query)
    assert told["prompt_embeddings"].endswith(" is damaged (prompt_embeddings 1)")


@only_sqlite
def test_what_a_disk_cannot_read_is_damage(
    engine: Engine, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorname = "SQLITE_IOERR_READ"

    class Unreadable(sqlite3.Connection):
        def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
            if "integrity_check" in sql:
                raise error
            return super().execute(sql, *parameters)

    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Unreadable))

    @event.listens_for(engine, "do_execute")
    def fail(_: Any, statement: str, *__: Any) -> None:
        if "FROM images" in statement:
            raise error

    found = damage_of(engine)
    assert [(one.kind, one.table) for one in found] == [("structure", ""), ("structure", "images")]
    assert found[0].said == "the database cannot be read: disk I/O error"
