"""Backups of a database whose images are in a folder: whole by default, or with where they are."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pytest
from sqlalchemy import Engine

from service.moving.backups import back_up_to_stream, check, restore
from service.moving.errors import MovingError
from service.moving.store_migration import migrate_store
from service.storage.engine import open_database
from tests.service.moving.content import digests
from tests.service.storage.contents.placed_images import add, files, image, picture, store_with
from tests.service.stored import create, loaded

SEEDS = range(1, 101)  # more than are looked up, or read ahead, at a time


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "images"


@pytest.fixture
def source(tmp_path: Path, folder: Path) -> str:
    """A database of images in the folder, and of some in itself between them."""
    made = f"sqlite:///{tmp_path / 'handful.db'}"
    engine = open_database(made)
    store = store_with(engine, folder.as_uri())
    create(store, "a", "ant")
    add(store, "a", *(image(seed) for seed in SEEDS if seed % 10))
    add(store_with(engine, None), "a", *(image(seed) for seed in SEEDS if not seed % 10))
    assert len(files(folder)) == 90
    engine.dispose()
    return made


def backup_of(database: str, *, images: bool = True) -> io.BytesIO:
    stream = io.BytesIO()
    back_up_to_stream(database, stream, 10, images=images)
    return io.BytesIO(stream.getvalue())


def kept(engine: Engine, location: str | None = None) -> set[bytes | None]:
    store = store_with(engine, location)
    return {store.content(support.id) for support in loaded(store, "a").support}


def test_a_backup_holds_images_that_are_outside(source: str, folder: Path, tmp_path: Path) -> None:
    backup = backup_of(source)
    assert check(backup).header.refers_to == ()
    shutil.rmtree(folder)
    backup.seek(0)
    target = f"sqlite:///{tmp_path / 'new.db'}"
    restore(backup, target, 10)
    engine = open_database(target)
    assert kept(engine) == {picture(seed) for seed in SEEDS}
    engine.dispose()


def test_a_backup_says_where_images_are_that_it_does_not_hold(
    source: str, folder: Path, tmp_path: Path
) -> None:
    backup = backup_of(source, images=False)
    assert check(backup).header.refers_to == (folder.as_uri(),)
    backup.seek(0)
    restored, moved = (f"sqlite:///{tmp_path / name}" for name in ("new.db", "moved.db"))
    restore(backup, restored, 10)
    migrate_store(source, moved, 10)
    assert digests(restored) == digests(moved) == digests(source)
    engine = open_database(moved)
    assert kept(engine) == {picture(seed) for seed in SEEDS}
    engine.dispose()


def test_images_that_are_gone_are_told_and_there_is_no_backup(source: str, folder: Path) -> None:
    (folder / sorted(files(folder))[5]).unlink()
    with pytest.raises(MovingError, match="bytes of the row of image_contents with image_id"):
        backup_of(source)
    shutil.rmtree(folder)
    with pytest.raises(MovingError, match=r"image_contents|store"):
        backup_of(source)
    assert check(backup_of(source, images=False)).copied
