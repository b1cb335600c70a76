"""How far the stored tuning of a classifier is behind its support set."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
from sqlalchemy import Engine

from adapters.heads import Tuning
from service.classifier_settings import ClassifierSettings
from service.storage.change import Change, NewClass
from service.storage.records import ClassifierRecord
from service.storage.store import Store
from tests.service.stored import OWN, TUNING, create, loaded, support


@pytest.fixture
def store(engine: Engine) -> Store:
    return Store(engine, OWN)


def after(store: Store, change: Change) -> ClassifierRecord:
    """What is told of the classifier after one more change, however it is looked up."""
    store.write(loaded(store, "a").record.state, change)
    record, [listed], one = loaded(store, "a").record, store.classifiers(), store.classifier("a")
    assert one == listed
    assert replace(listed, backbone="") == record
    return record


def told(record: ClassifierRecord) -> tuple[bool, int]:
    return record.tuning_state.is_current, record.tuning_state.images_behind


def test_a_new_classifier_has_a_tuning_of_its_own(store: Store) -> None:
    create(store, "a", "ant")
    record = loaded(store, "a").record
    assert told(record) == (True, 0)
    assert record.created_at <= record.tuning_state.since
    for change in (Change(tuning=TUNING), Change(settings=ClassifierSettings())):
        with pytest.raises(ValueError, match="settings and a tuning"):
            store.create("b", change)


def test_changes_without_a_tuning_leave_it_stale_and_count_images(store: Store) -> None:
    create(store, "a", "ant", "bee")
    ants = tuple(support(seed, "ant") for seed in range(4))
    bees = tuple(support(seed, "bee") for seed in range(10, 13))
    tuned = after(store, Change(tuning=TUNING, added=(*ants, *bees)))
    assert told(tuned) == (True, 0)
    stale = after(store, Change(added=(support(20, "ant"),)))
    assert told(stale) == (False, 1)
    assert stale.tuning == TUNING
    assert stale.tuning_state.since > tuned.tuning_state.since
    images = loaded(store, "a").support
    record = after(store, Change(removed=(images[0].id, images[1].id)))
    assert told(record) == (False, 3)
    [bee] = [one.id for one in loaded(store, "a").classes if one.label == "bee"]
    record = after(store, Change(classes_removed=(bee,)))
    assert told(record) == (False, 6)  # with the three of the class
    assert record.tuning_state.since == stale.tuning_state.since
    current = after(store, Change(tuning=Tuning()))
    assert told(current) == (True, 0)
    assert current.tuning == Tuning()
    assert current.tuning_state.since > stale.tuning_state.since


def test_a_class_that_is_declared_leaves_it_stale_without_images(store: Store) -> None:
    create(store, "a", "ant")
    record = after(store, Change(classes_added=(NewClass(label="bee"),)))
    assert told(record) == (False, 0)
    assert record.n_classes == 2


def test_a_tuning_that_comes_later_is_no_update(store: Store) -> None:
    create(store, "a", "ant")
    times: list[datetime] = []
    for change in (
        Change(added=(support(1, "ant"),)),
        Change(tuning=TUNING),
        Change(tuning=TUNING, added=(support(2, "ant"),)),
        Change(tuning=TUNING, settings=ClassifierSettings()),
    ):
        record = after(store, change)
        times.append(record.updated_at)
    assert times[0] == times[1] < times[2] < times[3]
    assert record.revision == 4
