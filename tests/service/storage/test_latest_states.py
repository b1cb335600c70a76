"""Reads of states that are combined: each begins after who waits for it has asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from typing import Any

import pytest
from sqlalchemy import Engine, event

from adapters.heads import Tuning
from service.classifier_settings import ClassifierSettings
from service.problems import OtherBackbone, StorageUnavailable
from service.storage import latest_states
from service.storage.change import Change
from service.storage.engine import open_database
from service.storage.fingerprints import Origin
from service.storage.records import State
from service.storage.store import Store
from tests.service.postgres import Wire, administrator, fresh_database, url

PATIENCE = 30
READERS, CHANGES = 6, 40


@pytest.fixture
def name() -> Iterator[str]:
    with fresh_database() as made:
        yield made


@pytest.fixture
def wire() -> Iterator[Wire]:
    with Wire() as made:
        yield made


@pytest.fixture
def server(name: str, wire: Wire) -> Iterator[Engine]:
    opened = open_database(url(name, wire.port), 1.0)
    yield opened
    opened.dispose()


def store_of(engine: Engine, *names: str) -> Store:
    store = Store(engine, Origin("f" * 64, "lite"))
    for name in names:
        store.create(name, Change(settings=ClassifierSettings(), tuning=Tuning()))
    return store


class Statements:
    """Reads of states that an engine carries out, which can be held."""

    def __init__(self, engine: Engine) -> None:
        self.begun: list[Any] = []
        self.go_on = Event()
        self.go_on.set()
        event.listen(engine, "before_cursor_execute", self._before)

    def of_driver(self, patch: pytest.MonkeyPatch) -> None:
        """Those that pass SQLAlchemy by, too."""
        read = latest_states._read_by_driver

        def held(driver: Any, names: Sequence[str]) -> dict[str, State]:
            self._begin(names)
            return read(driver, names)

        patch.setattr(latest_states, "_read_by_driver", held)

    def _before(self, _: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        if "ANY" in statement or " IN (" in statement:
            self._begin(parameters)

    def _begin(self, parameters: Any) -> None:
        self.begun.append(parameters)
        assert self.go_on.wait(PATIENCE)


def test_who_asks_while_a_read_is_under_way_shares_the_next(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = store_of(engine, "a", "b")
    assert store.latest_state("a") == store.state("a")
    assert store.latest_state("a") == store.state("a")  # by the driver alone
    statements = Statements(engine)
    statements.of_driver(monkeypatch)
    statements.go_on.clear()
    with ThreadPoolExecutor(9) as threads:
        first = threads.submit(store.latest_state, "a")
        while not statements.begun:
            pass
        others = [threads.submit(store.latest_state, name) for name in "abababc" + "a"]
        while len(store._latest._next.names) < 3:
            pass
        state = store.state("a")
        assert state is not None
        changed = store.write(state, Change(tuning=Tuning()))
        statements.go_on.set()
        assert first.result(PATIENCE) is not None
        found = [other.result(PATIENCE) for other in others]
    # These were asked for before the change and read after it: the later state is as good.
    assert [one and one.revision for one in found] == [1, 0, 1, 0, 1, 0, None, 1]
    assert changed.revision == 1
    assert len(statements.begun) == 2
    store.close()


def test_whoever_asks_after_a_change_is_told_of_it(engine: Engine) -> None:
    writer, reader = store_of(engine, "a"), store_of(engine)
    acknowledged, ended = [0], Event()
    begin = Barrier(READERS + 1)

    def read() -> int:
        begin.wait(PATIENCE)
        asked = 0
        while not ended.is_set():
            least = acknowledged[0]
            state = reader.latest_state("a")
            assert state is not None
            assert state.revision >= least
            asked += 1
        return asked

    with ThreadPoolExecutor(READERS) as threads:
        reading = [threads.submit(read) for _ in range(READERS)]
        begin.wait(PATIENCE)
        try:
            for _ in range(CHANGES):
                state = writer.state("a")
                assert state is not None
                acknowledged[0] = writer.write(state, Change(tuning=Tuning())).revision
        finally:
            ended.set()
        assert min(one.result(PATIENCE) for one in reading) > 0
    reader.close()


def test_a_connection_that_was_ended_is_made_again(server: Engine, name: str) -> None:
    store = store_of(server, "a")
    assert store.latest_state("a") is not None
    with administrator() as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
        )
    assert store.latest_state("a") is not None
    store.close()
    assert store.latest_state("a") is not None
    store.close()


def test_all_who_wait_are_told_of_a_failure(server: Engine, wire: Wire) -> None:
    store = store_of(server, "a")
    wire.cut()
    with ThreadPoolExecutor(4) as threads:
        for asked in [threads.submit(store.latest_state, "a") for _ in range(4)]:
            with pytest.raises(StorageUnavailable) as refused:
                asked.result(PATIENCE)
            assert "connection was lost" in str(refused.value.detail)
    wire.mend()
    assert store.latest_state("a") is not None
    store.close()


def test_another_backbones_classifier_is_told_to_those_alone_who_ask_for_it(
    server: Engine,
) -> None:
    store = store_of(server, "a")
    with server.begin() as connection:
        connection.exec_driver_sql("INSERT INTO backbones (fingerprint, name) VALUES ('e', 'vit')")
        connection.exec_driver_sql("UPDATE classifiers SET fingerprint = 'e'")
    with pytest.raises(OtherBackbone):
        store.latest_state("a")
    assert store.latest_state("b") is None
    store.close()
