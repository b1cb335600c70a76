"""A recorder writes in the transaction of a change: what it raises undoes the change."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, insert
from sqlalchemy.orm import Session

from adapters.heads import Tuning
from service.storage.change import Change, NewClass
from service.storage.recording import Recorded
from service.storage.store import Store
from service.storage.tables import BackboneRow
from tests.service.stored import OWN, create, loaded, rows, support, write


class Kept:
    """Keeps what it is told, and a row of each."""

    def __init__(self, fails_at: int | None = None) -> None:
        self.told: list[Recorded] = []
        self.fails_at = fails_at

    def __call__(self, session: Session, recorded: Recorded) -> None:
        session.execute(
            insert(BackboneRow).values(fingerprint=f"{len(self.told):064d}", name="row")
        )
        self.told.append(recorded)
        if len(self.told) == self.fails_at:
            raise ValueError("not to be written down")


def test_every_change_of_a_classifier_is_recorded(engine: Engine) -> None:
    plain, kept = Store(engine, OWN), Kept()
    store = plain.recording([kept])
    create(store, "acme/a", "ant")
    before = rows(engine, BackboneRow)
    written = write(store, "acme/a", added=(support(1, "ant"),))
    write(plain, "acme/a", classes_added=(NewClass(label="bee"),))  # by nobody's request
    store.delete_classifier(loaded(store, "acme/a").record.id)
    assert [one.name for one in kept.told] == ["acme/a"] * 3
    assert [one.revision for one in kept.told] == [0, 1, None]
    states = [
        one.before and (one.before.revision, one.before.content_revision) for one in kept.told
    ]
    assert states == [None, (0, 0), (2, 2)]
    assert len({one.classifier_id for one in kept.told}) == 1
    assert kept.told[1].written is written
    assert rows(engine, BackboneRow) == before + 2


def test_a_change_that_cannot_be_recorded_is_not_made(engine: Engine) -> None:
    kept = Kept(fails_at=2)
    store = Store(engine, OWN).recording([kept])
    create(store, "a", "ant")
    backbones = rows(engine, BackboneRow)
    with pytest.raises(ValueError, match="written down"):
        write(store, "a", added=(support(1, "ant"),))
    assert loaded(store, "a").support == []
    assert rows(engine, BackboneRow) == backbones


def test_a_tuning_that_comes_later_counts_no_content_revision(engine: Engine) -> None:
    store = Store(engine, OWN)
    create(store, "a", "ant")
    write(store, "a", added=(support(1, "ant"),))
    before = loaded(store, "a").record.state
    assert before.content_revision == 1
    written = store.write(before, Change(tuning=Tuning()))
    after = loaded(store, "a").record.state
    assert (written.revision, written.content_revision) == (2, 1)
    assert (after.revision, after.content_revision) == (2, 1)
    assert store.state("a") == after
    followed = store.written_since(before)
    assert followed is not None
    assert followed.content_revision == 1
