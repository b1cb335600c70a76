"""Notifications: others hear of changes once these are committed, and nothing rests on it."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from adapters.heads import Tuning
from service.access.principal import Scope
from service.authentication.key_ring import EVERY, KeyRing
from service.classifier_settings import ClassifierSettings
from service.storage.change import Change
from service.storage.engine import open_database
from service.storage.errors import Outdated
from service.storage.fingerprints import Origin
from service.storage.keys import create_key, revoke_key
from service.storage.notifications import CHANNEL, Notifications
from service.storage.recording import Recorded
from service.storage.store import Store
from service.storage.stored_keys import KeyTerms
from tests.service.postgres import Wire, administrator, fresh_database, url

PATIENCE = 30


class Listening:
    """A process that tells and hears."""

    def __init__(self, engine: Engine) -> None:
        made = Notifications.of(engine)
        assert made is not None
        self.notifications = made
        self.heard: queue.Queue[tuple[str, str]] = queue.Queue()
        made.begin(
            {
                "classifier": lambda name: self.heard.put(("classifier", name)),
                "access": lambda name: self.heard.put(("access", name)),
            }
        )
        assert self.next() == ("access", "")  # nothing is known of what was before
        self.store = Store(engine, Origin("f" * 64, "lite")).recording([made])

    def next(self) -> tuple[str, str]:
        return self.heard.get(timeout=PATIENCE)

    def create(self, name: str) -> None:
        self.store.create(name, Change(settings=ClassifierSettings(), tuning=Tuning()))

    def change(self, name: str) -> None:
        state = self.store.state(name)
        assert state is not None
        self.store.write(state, Change(tuning=Tuning()))


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    with fresh_database() as name:
        yield name


@pytest.fixture
def wire() -> Iterator[Wire]:
    with Wire() as made:
        yield made


@pytest.fixture
def listening(database: str, wire: Wire) -> Iterator[Callable[[], Listening]]:
    engine, made = open_database(url(database, wire.port), 1.0), list[Listening]()

    def one() -> Listening:
        made.append(Listening(engine))
        return made[-1]

    yield one
    for each in made:
        each.notifications.close()
    engine.dispose()


def test_others_hear_of_a_change_once_it_is_committed(
    listening: Callable[[], Listening],
) -> None:
    here, there = listening(), listening()
    here.create("committed")  # which nobody can have in memory
    here.change("committed")
    assert there.next() == ("classifier", "committed")

    def undone(session: Session, recorded: Recorded) -> None:
        raise Outdated

    state = here.store.state("committed")
    assert state is not None
    with pytest.raises(Outdated):
        here.store.recording([undone]).write(state, Change(tuning=Tuning()))
    there.change("committed")
    assert here.next() == ("classifier", "committed")
    assert there.heard.empty()
    assert here.heard.empty()


def test_a_lost_connection_is_opened_again_and_changes_go_on_meanwhile(
    listening: Callable[[], Listening], wire: Wire
) -> None:
    here, there = listening(), listening()
    here.create("lost")
    wire.cut()
    wire.mend()
    here.change("lost")
    # What may have been missed is looked for.
    assert (here.next(), there.next()) == (("access", ""), ("access", ""))
    here.change("lost")
    assert there.next() == ("classifier", "lost")


def test_what_others_send_on_the_channel_is_heard_or_passed_by(
    listening: Callable[[], Listening], database: str
) -> None:
    here = listening()
    with administrator(database) as other:
        for said in ("", "later-version 1 2", "classifier", "access", "classifier a/b"):
            other.execute("SELECT pg_notify(%s, %s)", [CHANNEL, said])
    assert here.next() == ("classifier", "")
    assert here.next() == ("access", "")
    assert here.next() == ("classifier", "a/b")


def test_a_key_that_is_revoked_stops_before_the_next_look(
    listening: Callable[[], Listening], database: str
) -> None:
    here = listening()
    elsewhere = open_database(url(database))
    made, _ = create_key(elsewhere, KeyTerms(tenant="", scopes=frozenset({Scope.READ})))
    assert here.next() == ("access", "")
    ring = KeyRing(elsewhere)
    took = []
    try:
        assert ring.is_valid(made.key_id)
        here.notifications._hear = {"access": lambda _: ring.wake()}
        for _ in range(4):
            one, _ = create_key(elsewhere, KeyTerms(tenant="", scopes=frozenset({Scope.READ})))
            while not ring.is_valid(one.key_id):
                time.sleep(0.001)
            begun = time.monotonic()
            revoke_key(elsewhere, one.key_id, None)
            while ring.is_valid(one.key_id):
                time.sleep(0.001)
            took.append(time.monotonic() - begun)
    finally:
        ring.close()
        elsewhere.dispose()
    assert min(took) < EVERY / 4, took
