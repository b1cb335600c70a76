"""What is written to the database, without a service around it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, inspect, text
from sqlalchemy.exc import IntegrityError

import service.storage.migrations
from service.classifier_settings import ClassifierSettings
from service.storage.change import Change, NewClass
from service.storage.engine import open_database
from service.storage.errors import StorageError
from service.storage.fingerprints import Origin, OtherBackboneError, check_fingerprints
from service.storage.store import Store
from service.storage.tables import Base, ContentRow, ImageRow, SupportRow
from tests.service.databases import only_sqlite
from tests.service.stored import TUNING, create, embeddings, loaded, rows, support, write

MIGRATIONS = Path(service.storage.migrations.__path__[0])


@pytest.fixture
def store(engine: Engine) -> Store:
    return Store(engine, Origin("f" * 64, "lite"))


def test_migrations_make_the_tables_of_the_code(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
        assert set(inspect(connection).get_table_names()) == {
            *Base.metadata.tables,
            "alembic_version",
        }


@only_sqlite
def test_a_commit_reaches_the_disk_before_it_is_acknowledged(engine: Engine) -> None:
    with engine.connect() as connection:
        assert connection.scalar(text("PRAGMA journal_mode")) == "wal"
        assert connection.scalar(text("PRAGMA synchronous")) == 2  # FULL
        assert connection.scalar(text("PRAGMA foreign_keys")) == 1


def test_opening_a_database_twice_keeps_its_classifiers(database: str) -> None:
    first = open_database(database)
    create(Store(first, Origin("f" * 64, "lite")), "a", "ant")
    first.dispose()
    second = open_database(database)
    assert [one.name for one in Store(second, Origin("f" * 64, "lite")).classifiers()] == ["a"]
    second.dispose()


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    file = tmp_path / "handful.db"
    file.write_bytes(b"something else entirely" * 100)
    with pytest.raises(StorageError, match=r"handful\.db"):
        open_database(f"sqlite:///{file}")


def test_what_is_written_is_read_again(store: Store) -> None:
    texts = embeddings(100).frozen[0]
    settings = ClassifierSettings(method="tip-adapter", templates=("a {}", "the {}"))
    classes = (NewClass(label="ant", text=texts), NewClass(label="bee"))
    store.create("insects", Change(settings=settings, tuning=TUNING, classes_added=classes))
    written = write(store, "insects", added=(support(1, "bee"), support(2, "ant")))
    read = loaded(store, "insects")
    assert read.record.settings == settings
    assert read.record.tuning == TUNING
    assert (read.record.n_classes, read.record.n_images) == (2, 2)
    assert [one.label for one in read.classes] == ["ant", "bee"]
    assert read.classes[0].text is not None
    assert torch.equal(read.classes[0].text, texts)
    assert read.classes[1].text is None
    assert read.support == written.support
    for row, seed in enumerate((1, 2)):
        assert torch.equal(read.embeddings.frozen[row], embeddings(seed).frozen[0])
        assert torch.equal(read.embeddings.corrected[row], embeddings(seed).corrected[0])
    assert store.content(written.support[0].id) == b"\x01"


def test_a_change_that_fails_leaves_nothing(store: Store, engine: Engine) -> None:
    create(store, "insects", "ant")
    before = loaded(store, "insects")
    clash = support(2, "ant")
    images = (support(1, "ant"), clash, clash)
    with pytest.raises(IntegrityError):
        write(store, "insects", classes_added=(NewClass(label="bee"),), added=images)
    after = loaded(store, "insects")
    assert after.record == before.record
    assert after.classes == before.classes
    assert after.support == []
    assert rows(engine, ImageRow) == rows(engine, ContentRow) == 0


def test_an_image_of_several_classes_is_stored_once_and_goes_with_the_last(
    store: Store, engine: Engine
) -> None:
    create(store, "insects", "ant", "bee")
    made = loaded(store, "insects")
    images = (support(1, "ant"), support(1, "bee"), support(2, "bee"))
    written = write(store, "insects", added=images)
    assert (rows(engine, SupportRow), rows(engine, ImageRow)) == (3, 2)
    write(store, "insects", removed=(written.support[0].id,))
    assert (rows(engine, SupportRow), rows(engine, ImageRow)) == (2, 2)
    write(store, "insects", classes_removed=(made.classes[1].id,))
    assert rows(engine, SupportRow) == rows(engine, ImageRow) == rows(engine, ContentRow) == 0


def test_a_deleted_classifier_leaves_no_rows_of_its_own(store: Store, engine: Engine) -> None:
    for name in ("one", "two"):
        create(store, name, "ant")
    write(store, "one", added=(support(1, "ant"), support(2, "ant")))
    write(store, "two", added=(support(2, "ant"),))
    store.delete_classifier(loaded(store, "one").record.id)
    assert store.load("one") is None
    assert (rows(engine, SupportRow), rows(engine, ImageRow)) == (1, 1)
    assert rows(engine, ContentRow) == 1


def test_bytes_that_were_not_kept_are_kept_when_they_come_again(
    store: Store, engine: Engine
) -> None:
    create(store, "insects", "ant", "bee")
    forgetful = Store(engine, Origin("f" * 64, "lite"), store_images=False)
    first = write(forgetful, "insects", added=(support(1, "ant"),))
    assert store.content(first.support[0].id) is None
    assert store.kept_images([first.support[0].public_id]) == set()
    write(store, "insects", added=(support(1, "bee"),))
    assert store.kept_images([first.support[0].public_id]) == {first.support[0].public_id}
    assert store.content(first.support[0].id) == b"\x01"


def test_ids_are_not_used_again(store: Store) -> None:
    create(store, "insects", "ant")
    first = write(store, "insects", added=(support(1, "ant"),)).support[0]
    write(store, "insects", removed=(first.id,))
    second = write(store, "insects", added=(support(1, "ant"),)).support[0]
    assert second.id > first.id


def test_more_images_than_a_statement_takes_parameters(store: Store) -> None:
    create(store, "insects", "ant")
    many = tuple(support(i % 250, "ant", sha256=str(i)) for i in range(1200))
    written = write(store, "insects", added=many)
    assert len(loaded(store, "insects").support) == 1200
    write(store, "insects", removed=tuple(one.id for one in written.support))
    assert loaded(store, "insects").support == []


def test_times_are_in_utc(store: Store) -> None:
    create(store, "insects", "ant")
    record = loaded(store, "insects").record
    assert record.created_at.utcoffset() is not None
    assert record.created_at.tzname() == "UTC"


def test_embeddings_of_another_backbone_are_noticed(store: Store, engine: Engine) -> None:
    check_fingerprints(engine, Origin("0" * 64, "other"))  # nothing is stored yet
    create(store, "insects")
    check_fingerprints(engine, Origin("f" * 64, "lite"))
    with pytest.raises(OtherBackboneError, match="handful re-embed --backbone other"):
        check_fingerprints(engine, Origin("0" * 64, "other"))
    store.delete_classifier(loaded(store, "insects").record.id)
    check_fingerprints(engine, Origin("0" * 64, "other"))
