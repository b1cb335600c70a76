"""Bytes of images in a bucket, by a server that answers as S3 does, and fails as S3 does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from time import monotonic

import pytest
from fastapi_problem.error import StatusProblem
from sqlalchemy import Engine

from service.problems import ImageDamaged, StorageUnavailable
from service.settings import Settings
from service.settings.image_location import checked_location
from service.storage.contents.bucket import Bucket
from service.storage.contents.moving import elsewhere, move_contents
from service.storage.contents.object_store import MARKER, ObjectMissing
from service.storage.contents.sweeping import sweep
from service.storage.errors import StorageError
from service.storage.store import Store
from service.storage.tables import ContentObjectRow, ImageRow
from tests.service.databases import new_database
from tests.service.storage.contents.placed_images import add, image, picture, referred, store_with
from tests.service.storage.contents.s3_server import S3, serving
from tests.service.stored import create, rows, write

LOCATION = "s3://images/of/tests"
PREFIX = "of/tests/"
SECONDS = 1.0


@pytest.fixture
def database() -> Iterator[str]:
    """One kind: what differs between databases is tested with a folder."""
    with new_database("sqlite") as made:
        yield made


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3]:
    with serving(S3()) as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.fixture
def store(engine: Engine, s3: S3) -> Store:
    made = store_with(engine, LOCATION, SECONDS)
    create(made, "insects", "ant", "bee")
    return made


@contextmanager
def refused(kind: type[StatusProblem], told: str) -> Iterator[None]:
    with pytest.raises(kind) as raised:
        yield
    assert told in str(raised.value.detail)
    assert "127.0.0.1" not in str(raised.value.detail)  # where it is, is for the log


def test_images_are_put_read_and_swept(engine: Engine, s3: S3, store: Store) -> None:
    ids = add(store, "insects", *map(image, range(20)))
    assert list(store.contents(ids)) == list(map(picture, range(20)))
    assert s3.objects(prefix=PREFIX) == referred(engine)
    assert len(referred(engine)) == 20
    write(store, "insects", removed=tuple(ids[:15]))
    assert sweep(engine, store._contents.store, timedelta(0)) == 15
    assert s3.objects(prefix=PREFIX) == referred(engine)
    assert s3.requests["POST"] == 2  # the probe of the start, and all fifteen at once


@pytest.mark.parametrize("failure", [(500, "InternalError"), (503, "SlowDown")])
def test_what_fails_for_a_while_is_tried_again(
    s3: S3, store: Store, failure: tuple[int, str]
) -> None:
    s3.failing = (*failure, 2)
    (one,) = add(store, "insects", image(1))
    s3.failing = (*failure, 2)
    assert store.content(one) == picture(1)


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        ((503, "SlowDown", None), "does not answer"),
        ((403, "AccessDenied", None), "refuses"),
        ("bucket", "is not there"),
        ("slow", "does not answer"),
        ("stopped", "does not answer"),
    ],
    ids=str,
)
def test_an_outage_is_told_in_time_and_mended_without_a_restart(
    engine: Engine, failure: object, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3 = S3()
    with serving(s3):
        for name, value in s3.environment.items():
            monkeypatch.setenv(name, value)
        store = store_with(engine, LOCATION, SECONDS)
        create(store, "insects", "ant", "bee")
        (one,) = add(store, "insects", image(1))
        buckets, outside = s3.buckets, None
        if failure == "bucket":
            s3.buckets = {}
        elif failure == "slow":
            s3.delay = 3
        elif isinstance(failure, tuple):
            s3.failing = failure
        else:
            outside = s3
        if outside is None:
            fails(engine, store, one, told)
        s3.buckets, s3.delay, s3.failing = buckets, 0, None
        if outside is None:
            works(engine, s3, store, one)
    if outside is not None:
        fails(engine, store, one, told)
        with serving(s3):
            works(engine, s3, store, one)


def fails(engine: Engine, store: Store, one: int, told: str) -> None:
    began = monotonic()
    with refused(StorageUnavailable, told):
        store.content(one)
    with refused(StorageUnavailable, told):
        add(store, "insects", image(2))
    assert monotonic() - began < 60  # and not for ever
    assert rows(engine, ImageRow) == 1
    sweep(engine, store._contents.store, timedelta(0))  # what cannot be deleted stays doomed
    assert rows(engine, ContentObjectRow) == 2


def works(engine: Engine, s3: S3, store: Store, one: int) -> None:
    assert store.content(one) == picture(1)
    (two,) = add(store, "insects", image(2))
    assert store.content(two) == picture(2)
    sweep(engine, store._contents.store, timedelta(0))
    assert s3.objects(prefix=PREFIX) >= referred(engine)
    assert rows(engine, ContentObjectRow) == 2


def test_damage_is_told_of_that_image_alone(s3: S3, store: Store) -> None:
    first, second, third = add(store, "insects", image(1), image(2), image(3))
    keys = sorted(s3.objects(prefix=PREFIX))
    gone = {image(n).image.sha256: which for n, which in ((1, first), (2, second), (3, third))}
    missing, damaged = (gone[key.rpartition("/")[2].partition(".")[0]] for key in keys[:2])
    del s3.buckets["images"][PREFIX + keys[0]]
    s3.buckets["images"][PREFIX + keys[1]] += b"more"
    with refused(ImageDamaged, "are gone"):
        store.content(missing)
    with refused(ImageDamaged, "are damaged"):
        store.content(damaged)
    read = dict(zip((first, second, third), store.contents([first, second, third]), strict=True))
    assert sum(isinstance(content, ImageDamaged) for content in read.values()) == 2


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "wrong"}, "look at its keys"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "does not answer"),
        ({}, "is not there"),
    ],
    ids=["keys", "endpoint", "bucket"],
)
def test_a_bucket_that_cannot_be_used_ends_the_start(
    engine: Engine, s3: S3, monkeypatch: pytest.MonkeyPatch, change: dict[str, str], told: str
) -> None:
    for name, value in change.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(StorageError, match=told):
        store_with(engine, LOCATION if change else "s3://nobody/of", SECONDS)
    assert s3.buckets == {"images": {}}


def test_bytes_move_there_and_back(engine: Engine, s3: S3, tmp_path: Path) -> None:
    within = store_with(engine, None)
    create(within, "insects", "ant", "bee")
    ids = add(within, "insects", *map(image, range(5)))
    for location in (LOCATION, (tmp_path / "images").as_uri(), None):
        store = store_with(engine, location, SECONDS)
        contents = store._contents
        steps: list[int] = []
        assert elsewhere(engine, contents) == 5
        assert move_contents(engine, contents, steps.append) == (5, [])
        assert sum(steps) == 5
        assert elsewhere(engine, contents) == 0
        assert move_contents(engine, contents, steps.append) == (0, [])
        assert list(within.contents(ids)) == list(map(picture, range(5)))
        sweep(engine, contents.store, timedelta(0))
        assert len(s3.objects(prefix=PREFIX)) == (5 if location == LOCATION else 0)
    assert rows(engine, ContentObjectRow) == 0


def test_what_is_damaged_does_not_move(engine: Engine, s3: S3, store: Store) -> None:
    ids = add(store, "insects", image(1), image(2))
    lost = sorted(s3.objects(prefix=PREFIX))[0]
    del s3.buckets["images"][PREFIX + lost]
    within = store_with(engine, None)
    moved, damaged = move_contents(engine, within._contents, lambda _: None)
    assert moved == 1
    assert damaged == [lost.rpartition("/")[2].partition(".")[0]]
    assert sum(isinstance(one, ImageDamaged) for one in within.contents(ids)) == 1


def test_a_bucket_deletes_what_is_not_there(s3: S3) -> None:
    bucket = Bucket(LOCATION, SECONDS)
    bucket.put(MARKER, b"a marker")
    bucket.delete(["never", "there"])
    assert list(bucket.all_keys()) == [MARKER]
    with pytest.raises(ObjectMissing):
        bucket.get("never")


@pytest.mark.parametrize(
    ("given", "understood"),
    [
        ("s3://bucket/some/prefix/", "s3://bucket/some/prefix"),
        ("s3://bucket", "s3://bucket"),
        ("file:///srv/images", "file:///srv/images"),
        ("/srv/my images", "file:///srv/my%20images"),
        ("", None),
    ],
)
def test_locations_are_understood(given: str, understood: str | None) -> None:
    assert Settings(images=given).images == understood


@pytest.mark.parametrize(
    "given",
    [
        "ftp://host/x",
        "s3://",
        "s3://key:secret@bucket/x",
        "s3://bucket?region=x",
        "file://srv/images",
    ],
)
def test_locations_that_are_none_are_refused(given: str) -> None:
    with pytest.raises(ValueError, match=r"images|bucket|folder"):
        checked_location(given)
