"""Checks for damage by several processes: whose turn it is, when the next one is, and what is told
of the last."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import Engine, select, update

from service.problems import StorageFull, StorageUnavailable
from service.storage.contents import Contents
from service.storage.damage import CheckTurns, Damage, Found, LastCheck, Scrubber, scrubbing
from service.storage.tables import DamageCheckRow, table_of
from tests.service.databases import only_sqlite
from tests.service.server import run_handful

DAY = timedelta(days=1)
PATIENCE = 20.0
_ROW = table_of(DamageCheckRow)
_IMAGE = Damage("image", "gone", "image_contents", (3,), ("/v1/classifiers/ü",))

Check = Callable[..., Iterator[Damage]]


@pytest.fixture
def finds(monkeypatch: pytest.MonkeyPatch) -> Callable[[Check], None]:
    """Lets scrubbers find something else."""
    return lambda check: monkeypatch.setattr(scrubbing, "find_damage", check)


@pytest.fixture
def scrubber(engine: Engine) -> Iterator[Scrubber]:
    """One that looks when it is told to: by itself it begins after the test."""
    made = Scrubber(engine, Contents(engine), lambda _: False, 24)
    yield made
    made.close()


def last(*damage: Damage) -> LastCheck:
    found = Found()
    for one in damage:
        found.add(one)
    return LastCheck(datetime.now(UTC), 1.5, found)


def told(kind: str) -> float | None:
    return REGISTRY.get_sample_value("handful_storage_damaged", {"kind": kind})


def row(engine: Engine) -> Any:
    with engine.connect() as connection:
        return connection.execute(select(_ROW)).one()


def test_one_process_checks_and_all_see_what_it_found(engine: Engine) -> None:
    one, two = CheckTurns(engine, "1"), CheckTurns(engine, "2")
    assert one.is_due(DAY)
    assert one.take()
    assert not two.is_due(DAY)
    assert not two.take()
    assert two.last() is None
    ended = last(_IMAGE)
    one.end(ended, DAY)
    assert two.last() == ended
    assert not two.is_due(DAY)
    assert two.is_due(timedelta(hours=1))  # the setting was another one before
    two.ask()
    assert two.is_due(DAY)
    assert two.take()
    two.let_go(timedelta())
    assert one.take()


def test_whoever_asks_during_a_check_gets_another_one(engine: Engine) -> None:
    one, two = CheckTurns(engine, "1"), CheckTurns(engine, "2")
    for give_up in (lambda: one.end(last(), DAY), lambda: one.let_go(DAY)):
        assert one.take()
        two.ask()
        give_up()
        assert two.is_due(DAY)
        assert one.take()
        give_up()
        assert not two.is_due(DAY)


def test_a_turn_that_another_process_has_taken_is_its_own(engine: Engine) -> None:
    one, two = CheckTurns(engine, "1"), CheckTurns(engine, "2")
    assert one.take()
    assert one.beat()
    with engine.begin() as connection:
        connection.execute(update(_ROW).values(beat=datetime.now(UTC) - timedelta(minutes=6)))
    assert two.is_due(DAY)
    assert two.take()
    assert not one.beat()
    one.end(last(_IMAGE), DAY)
    one.let_go(DAY)
    assert row(engine).worker == "2"
    assert two.last() is None


def test_signs_of_life_are_given_while_something_takes_long(
    engine: Engine,
    scrubber: Scrubber,
    finds: Callable[[Check], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scrubbing, "_BEAT", 0.01)

    def slow(*_: Any, **__: Any) -> Iterator[Damage]:
        begun, until = row(engine).beat, time.monotonic() + PATIENCE
        while row(engine).beat == begun:
            assert time.monotonic() < until
        yield _IMAGE

    finds(slow)
    scrubber._look()
    assert scrubber.state == "damaged"


def test_a_check_ends_whose_turn_another_process_has_taken(
    engine: Engine,
    scrubber: Scrubber,
    finds: Callable[[Check], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scrubbing, "_BEAT", 0.01)

    def outrun(_: Engine, __: Contents, pace: Any, **___: Any) -> Iterator[Damage]:
        with engine.begin() as connection:
            connection.execute(update(_ROW).values(worker="2"))
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            pace(0)
        yield _IMAGE

    finds(outrun)
    with pytest.raises(scrubbing.Ended):
        scrubber._look()
    assert row(engine).worker == "2"
    assert scrubber.state == "unchecked"


def test_the_check_of_the_structure_is_not_waited_for_afterwards(
    engine: Engine, scrubber: Scrubber, finds: Callable[[Check], None]
) -> None:
    waited: list[float] = []

    def structure(_: Engine, __: Contents, pace: Any, begun: Any, **___: Any) -> Iterator[Damage]:
        with closing(sqlite3.connect(":memory:")) as connection:
            begun(connection)
            time.sleep(1.0)
            begun(None)
        before = time.monotonic()
        pace(0)
        waited.append(time.monotonic() - before)
        yield from ()

    finds(structure)
    scrubber._look()
    assert waited[0] < 1.0  # of three


def test_of_very_many_places_the_counts_stay(
    engine: Engine, scrubber: Scrubber, finds: Callable[[Check], None]
) -> None:
    def many(*_: Any, **__: Any) -> Iterator[Damage]:
        yield from [_IMAGE] * 1500
        yield from [Damage("row", "cannot be read", "support", (1,))] * 300

    finds(many)
    scrubber._look()
    other = Scrubber(engine, Contents(engine), lambda _: False, 24)
    for one in (scrubber, other):
        one._look()
        assert (told("image"), told("row")) == (1500, 300)
        assert one._last is not None
        assert len(one._last.found.first) == 1000
    other.close()


@pytest.mark.parametrize("full", [False, True], ids=["written", "not written"])
def test_after_a_check_that_failed_the_next_one_comes_in_an_hour(
    engine: Engine,
    scrubber: Scrubber,
    finds: Callable[[Check], None],
    monkeypatch: pytest.MonkeyPatch,
    full: bool,
) -> None:
    begun = 0

    def fails(*_: Any, **__: Any) -> Iterator[Damage]:
        nonlocal begun
        begun += 1
        raise StorageUnavailable("locked")
        yield _IMAGE

    def refuse(*_: Any) -> None:
        raise StorageFull("full")

    finds(fails)
    if full:
        monkeypatch.setattr(CheckTurns, "let_go", refuse)
    with pytest.raises(StorageUnavailable):
        scrubber._look()
    with engine.begin() as connection:
        long_ago = datetime.now(UTC) - timedelta(minutes=6)
        connection.execute(update(_ROW).where(_ROW.c.worker.is_not(None)).values(beat=long_ago))
    scrubber._look()
    assert begun == 1
    if not full:
        assert timedelta(minutes=59) < row(engine).due_at - datetime.now(UTC) < timedelta(hours=1)


@only_sqlite
def test_the_command_says_what_to_do_where_no_service_can_be_asked(engine: Engine) -> None:
    file = Path(str(engine.url.database))
    CheckTurns(engine, "").take()
    engine.dispose()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        [(page,)] = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'damage_checks'"
        ).fetchall()
        [(size,)] = connection.execute("PRAGMA page_size").fetchall()
    with file.open("r+b") as opened:
        opened.seek((page - 1) * size)
        opened.write(bytes(size))
    checked = run_handful("check", "--data-dir", str(file.parent))
    assert checked.returncode == 1
    assert "damaged: structure: " in checked.stdout
    assert "structure: Stop the service, keep the files" in checked.stdout
    assert "a service could not be asked to check it, too: The database" in checked.stderr
    assert "Traceback" not in checked.stderr


@only_sqlite
def test_the_command_asks_for_a_check_where_the_last_one_found_what_is_mended(
    engine: Engine,
) -> None:
    folder = Path(str(engine.url.database)).parent
    turns = CheckTurns(engine, "1")
    for damage, asks in (((), False), ((_IMAGE,), True)):
        assert turns.take()
        turns.end(last(*damage), DAY)
        checked = run_handful("check", "--data-dir", str(folder))
        assert checked.returncode == 0, checked.stderr
        assert turns.is_due(DAY) is asks
