"""The check of images outside the database: what cannot be read now is not sound, and what is not
to be read costs nothing."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, insert, update

from service.storage.contents import Contents
from service.storage.contents.object_store import MARKER
from service.storage.damage import Damage, find_damage
from service.storage.damage.images import damaged_images
from service.storage.store import Store
from service.storage.tables import ContentObjectRow, ContentRow, ContentStoreRow
from tests.service.storage.contents.placed_images import add, files, image, store_with
from tests.service.stored import OWN, create, loaded, support, write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "images"


@pytest.fixture
def store(engine: Engine, folder: Path) -> Store:
    """A classifier with 25 images in a folder."""
    made = store_with(engine, folder.as_uri())
    create(made, "insects", "ant")
    add(made, "insects", *map(image, range(25)))
    return made


def found(engine: Engine) -> list[Damage]:
    contents = Contents.opened(engine, None, 2.0)
    return list(
        find_damage(
            engine, contents, lambda _: None, fills=False, buckets=True, begun=lambda _: None
        )
    )


def unreadable(folder: Path, *keys: str) -> None:
    for key in keys:
        (folder / key).unlink()
        (folder / key).mkdir()  # reading it fails, and not because it is not there


def test_images_that_cannot_be_read_are_told_for_their_store(
    engine: Engine, folder: Path, store: Store
) -> None:
    assert found(engine) == []
    ids = {one.sha256: one.public_id for one in loaded(store, "insects").support}
    [key, other, *_] = sorted(files(folder))
    unreadable(folder, key, other)
    [one] = found(engine)
    assert one.kind == "store"
    assert f"images of {folder.as_uri()} cannot be read now: 2 (" in one.said
    assert "Is a directory" in one.said
    first = {ids[k.rpartition("/")[2].partition(".")[0]] for k in (key, other)}
    assert one.uses[0].rpartition("/")[2] in first


@pytest.mark.parametrize("lost", ["store", "disk"])
def test_a_store_that_cannot_be_read_is_given_up(
    engine: Engine, folder: Path, store: Store, caplog: pytest.LogCaptureFixture, lost: str
) -> None:
    if lost == "store":
        (folder / MARKER).write_text(f"{'0' * 32}\n")
    else:
        unreadable(folder, *files(folder))
    with caplog.at_level(logging.WARNING):
        [one] = found(engine)
    assert one.kind == "store"
    assert "cannot be read now: 25 (" in one.said
    assert lost == "disk" or "is not the store that it was" in one.said
    assert len(caplog.records) == (1 if lost == "store" else 20)
    assert one.uses[0].startswith("/v1/classifiers/insects/classes/ant/images/")


def test_whoever_only_looks_makes_no_folder_where_a_disk_is_not_mounted(
    engine: Engine, folder: Path, store: Store
) -> None:
    away = folder.rename(folder.with_name("away"))
    [one] = found(engine)
    assert one.kind == "store"
    assert "cannot be read now: 25 (" in one.said
    assert not folder.exists()
    away.rename(folder)
    assert found(engine) == []


def test_an_unreadable_image_does_not_hide_a_damaged_one(
    engine: Engine, folder: Path, store: Store
) -> None:
    [unread, damaged, gone, *_] = sorted(files(folder))
    unreadable(folder, unread)
    (folder / damaged).write_bytes(b"other")
    (folder / gone).unlink()
    assert sorted(one.kind for one in found(engine)) == ["image", "image", "store"]


@pytest.fixture
def in_a_bucket(engine: Engine) -> Engine:
    """600 images in a bucket, as far as the database knows."""
    made = Store(engine, OWN)
    create(made, "insects", "ant")
    images = (support(n % 256, "ant", sha256=f"{n:064x}", read=lambda: b"") for n in range(600))
    write(made, "insects", added=tuple(images))
    with engine.begin() as connection:
        connection.execute(
            insert(ContentStoreRow).values(id=1, marker="1", location="s3://images/x")
        )
        objects = [{"id": n, "store_id": 1, "key": str(n), "nbytes": 1} for n in range(1, 601)]
        connection.execute(insert(ContentObjectRow), objects)
        connection.execute(update(ContentRow).values(object_id=ContentRow.image_id))
    return engine


@pytest.fixture
def statements(engine: Engine) -> Iterator[list[str]]:
    said: list[str] = []

    def heard(_: Any, __: Any, statement: str, *___: Any) -> None:
        said.append(statement)

    event.listen(engine, "before_cursor_execute", heard)
    yield said
    event.remove(engine, "before_cursor_execute", heard)


def test_images_in_buckets_cost_the_service_a_page_alone(
    in_a_bucket: Engine, statements: list[str]
) -> None:
    statements.clear()
    paced: list[int] = []
    assert (
        list(damaged_images(in_a_bucket, Contents(in_a_bucket), paced.append, buckets=False)) == []
    )
    assert sum(s.startswith("SELECT") for s in statements) < 10
    assert paced == [0, 0, 0]


def test_the_check_waits_for_images_that_cannot_be_read_as_for_others(
    engine: Engine, folder: Path, store: Store
) -> None:
    unreadable(folder, *files(folder))
    paced: list[int] = []
    list(damaged_images(engine, Contents.opened(engine, None, 2.0), paced.append, buckets=False))
    assert len(paced) == 20 + 1  # those that are tried, and the page
