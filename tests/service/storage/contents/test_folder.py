"""Bytes of images in a folder: put before their rows, deleted after them, each file whole."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import alembic.command
import alembic.config
import pytest
from fastapi_problem.error import StatusProblem
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from service.access.limits import TenantLimits
from service.problems import ImageDamaged, QuotaExceeded, StorageFull, StorageUnavailable
from service.storage import migrations
from service.storage.contents import Contents
from service.storage.contents.folder import Folder
from service.storage.contents.object_store import MARKER, is_whole, new_key
from service.storage.contents.sweeping import sweep
from service.storage.errors import StorageError
from service.storage.moved_embeddings import MovedEmbeddings
from service.storage.stale import StaleEmbeddings
from service.storage.store import Store
from service.storage.tables import ContentObjectRow, ContentRow, ContentStoreRow, ImageRow
from service.storage.tenant_limits import OwnedLimits, usage
from tests.service.storage.contents.placed_images import (
    add,
    files,
    image,
    picture,
    referred,
    store_with,
)
from tests.service.stored import OWN, create, loaded, rows, write

NOW = timedelta(seconds=0)


@contextmanager
def refused(kind: type[StatusProblem], told: str) -> Iterator[None]:
    with pytest.raises(kind) as raised:
        yield
    assert told in str(raised.value.detail)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "images"


@pytest.fixture
def store(engine: Engine, folder: Path) -> Store:
    made = store_with(engine, folder.as_uri())
    create(made, "insects", "ant", "bee")
    return made


def contents_of(store: Store) -> Contents:
    return store._contents


def test_images_are_put_read_shared_and_swept(engine: Engine, folder: Path, store: Store) -> None:
    first, second = add(store, "insects", image(1), image(2))
    assert add(store, "insects", image(1, "bee"))  # its bytes are there already
    assert (store.content(first), store.content(second)) == (picture(1), picture(2))
    assert files(folder) == referred(engine)
    assert rows(engine, ContentObjectRow) == rows(engine, ContentRow) == 2
    with Session(engine) as session:
        assert set(session.scalars(select(ContentRow.content))) == {b""}
    for path in (folder, *folder.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)
    write(store, "insects", removed=(first, second))
    sweep(engine, contents_of(store).store, timedelta(hours=1))
    assert len(files(folder)) == 2  # within the grace
    assert sweep(engine, contents_of(store).store, NOW) == 1
    assert files(folder) == referred(engine)
    assert rows(engine, ContentObjectRow) == 1
    store.delete_classifier(loaded(store, "insects").record.id)
    sweep(engine, contents_of(store).store, NOW)
    assert files(folder) == set()
    assert rows(engine, ContentObjectRow) == 0


def test_a_change_that_is_refused_leaves_no_bytes(
    engine: Engine, folder: Path, store: Store
) -> None:
    limited = store.recording([OwnedLimits(lambda _: TenantLimits(bytes=len(picture(1)) + 5))])
    add(limited, "insects", image(1))
    assert usage(engine, "").bytes == len(picture(1))
    with pytest.raises(QuotaExceeded):
        add(limited, "insects", image(2))
    assert files(folder) == referred(engine)
    assert rows(engine, ContentObjectRow) == 1


def test_what_two_put_at_once_is_kept_once(engine: Engine, folder: Path, store: Store) -> None:
    with store.placed("insects", [image(1)]) as mine, store.placed("insects", [image(1)]) as theirs:
        (written,) = write(store, "insects", added=tuple(theirs)).support
        write(store, "insects", added=tuple(one._replace(label="bee") for one in mine))
    assert files(folder) == referred(engine)
    assert len(files(folder)) == 1
    assert store.content(written.id) == picture(1)


def test_nobody_refers_to_what_was_swept_meanwhile(
    engine: Engine, folder: Path, store: Store
) -> None:
    with store.placed("insects", [image(1)]) as put:
        sweep(engine, contents_of(store).store, NOW)
        with refused(StorageUnavailable, "cleared away"):
            write(store, "insects", added=tuple(put))
    assert rows(engine, ImageRow) == rows(engine, ContentObjectRow) == 0
    assert files(folder) == set()
    assert add(store, "insects", image(1))


def test_the_bytes_of_an_image_go_to_the_database_where_none_were_put(
    engine: Engine, store: Store
) -> None:
    (written,) = write(store, "insects", added=(image(1),)).support
    assert store.content(written.id) == picture(1)
    assert referred(engine) == set()


@pytest.mark.parametrize(
    ("harm", "told"),
    [(Path.unlink, "are gone"), (lambda path: path.write_bytes(b"others"), "are damaged")],
)
def test_damage_is_told_of_that_image_alone(
    engine: Engine, folder: Path, store: Store, harm: Callable[[Path], object], told: str
) -> None:
    first, second = add(store, "insects", image(1), image(2))
    with Session(engine) as session:
        key = session.scalar(select(ContentObjectRow.key).order_by(ContentObjectRow.id))
    harm(folder / str(key))
    damaged, whole = (first, second) if key and image(1).image.sha256 in key else (second, first)
    with refused(ImageDamaged, told):
        store.content(damaged)
    assert store.content(whole) == picture(1 if whole == first else 2)
    ids = [record.id for record in loaded(store, "insects").support]
    assert len(ids) == 2
    contents = contents_of(store)
    with Session(engine) as session:
        images = list(session.scalars(select(ImageRow.id).order_by(ImageRow.id)))
    for read in (
        MovedEmbeddings(engine, OWN, contents).contents(images).values(),
        StaleEmbeddings(engine, OWN, contents).contents(images),
    ):
        assert sum(isinstance(one, ImageDamaged) for one in read) == 1
        assert len(list(read)) == 2


def test_a_store_that_was_moved_is_the_same(engine: Engine, folder: Path, store: Store) -> None:
    (one,) = add(store, "insects", image(1))
    elsewhere = folder.with_name("elsewhere")
    folder.rename(elsewhere)
    with pytest.raises(StorageError, match="is not the store that it was: 1 images"):
        store_with(engine, folder.as_uri())
    moved = store_with(engine, elsewhere.as_uri())
    assert moved.content(one) == picture(1)
    assert rows(engine, ContentStoreRow) == 1


def test_a_disk_that_is_not_mounted_is_told(engine: Engine, folder: Path, store: Store) -> None:
    (one,) = add(store, "insects", image(1))
    away = folder.with_name("away")
    folder.rename(away)
    folder.mkdir()
    with refused(StorageUnavailable, "mounted"):
        store.content(one)
    with refused(StorageUnavailable, "mounted"):
        add(store, "insects", image(2))
    assert list(folder.iterdir()) == []
    folder.rmdir()
    away.rename(folder)
    assert store.content(one) == picture(1)
    assert add(store, "insects", image(2))
    assert sweep(engine, contents_of(store).store, NOW) == 1  # of the put that failed
    assert files(folder) == referred(engine)


def test_another_store_takes_new_images_and_the_old_one_is_read(
    engine: Engine, folder: Path, store: Store, tmp_path: Path
) -> None:
    (one,) = add(store, "insects", image(1))
    second = tmp_path / "second"
    both = store_with(engine, second.as_uri())
    (two,) = add(both, "insects", image(2))
    within = store_with(engine, None)
    (three,) = add(within, "insects", image(3))
    for read in (both, within, store):
        assert [read.content(which) for which in (one, two, three)] == list(map(picture, (1, 2, 3)))
    assert (len(files(folder)), len(files(second))) == (1, 1)


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    folder.mkdir(exist_ok=True)
    mount = f"mount -t tmpfs -o size={2**20},mode=700 tmpfs {folder}"
    if os.system(mount + " 2>/dev/null"):
        pytest.skip("a file system cannot be mounted here")
    try:
        yield
    finally:
        os.system(f"umount --lazy {folder}")


def test_a_full_and_a_read_only_disk_are_told(
    engine: Engine, folder: Path, request: pytest.FixtureRequest
) -> None:
    with small_disk(folder):
        store = store_with(engine, folder.as_uri())
        create(store, "insects", "ant", "bee")
        (one,) = add(store, "insects", image(1))
        ballast = folder / "ballast"
        with suppress(OSError):
            ballast.write_bytes(b"x" * 2**21)
        with refused(StorageFull, "disk of the images"):
            add(store, "insects", image(2))
        assert rows(engine, ImageRow) == 1
        ballast.unlink()
        (two,) = add(store, "insects", image(2))
        os.system(f"mount -o remount,ro {folder}")
        with refused(StorageUnavailable, "Read-only"):
            add(store, "insects", image(3))
        assert [store.content(one), store.content(two)] == [picture(1), picture(2)]
        with pytest.raises(StorageError, match="Read-only"):
            store_with(engine, folder.as_uri())
        os.system(f"mount -o remount,rw {folder}")
        assert add(store, "insects", image(3))
        sweep(engine, contents_of(store).store, NOW)
        assert files(folder) == referred(engine)


def test_tables_stay_while_bytes_are_outside(engine: Engine, store: Store) -> None:
    add(store, "insects", image(1))
    config = alembic.config.Config()
    config.set_main_option("script_location", str(Path(*migrations.__path__)))

    def downgrade() -> None:
        with engine.execution_options(writes=True).begin() as connection:
            config.attributes["connection"] = connection
            alembic.command.downgrade(config, "0014")

    with pytest.raises(RuntimeError, match="bring them back first"):
        downgrade()
    assert rows(engine, ContentObjectRow) == 1


def test_a_file_in_the_place_of_the_folder_is_refused(engine: Engine, folder: Path) -> None:
    folder.write_text("a file")
    with pytest.raises(StorageError, match=r"cannot be kept in file://.*Not a directory"):
        store_with(engine, folder.as_uri())
    folder.unlink()
    folder.mkdir()
    (folder / MARKER).write_text("something else")
    with pytest.raises(StorageError, match="is not a marker"):
        store_with(engine, folder.as_uri())


def test_keys_say_tenant_and_digest_and_are_never_the_same(tmp_path: Path) -> None:
    key = new_key("lab/" + "ab" * 32)
    assert key.startswith(f"lab/ab/ab/{'ab' * 32}.")
    assert new_key("lab/" + "ab" * 32) != key
    assert new_key("ab" * 32).startswith("_/ab/ab/")
    one = image(1).image
    assert is_whole(new_key(one.sha256), picture(1))
    assert not is_whole(new_key(one.sha256), picture(2))
    folder = Folder(tmp_path / "f")
    folder.put(key, b"a part")
    (tmp_path / "f" / key).rename(tmp_path / "f" / f"{key}.part")  # of one that was killed
    folder.delete([key, "never/there"])
    assert files(tmp_path / "f") == set()
