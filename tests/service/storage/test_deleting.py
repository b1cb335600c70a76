"""Images that two transactions let go of at the same time, on PostgreSQL."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
import torch
from sqlalchemy import Engine, text

from service.classifier_settings import ClassifierSettings
from service.storage.change import Change, NewClass
from service.storage.deleting import removing_support
from service.storage.errors import Outdated
from service.storage.store import Store
from service.storage.support_rows import write_support
from service.storage.tables import ImageRow, ViewsRow
from service.storage.transactions import writing
from tests.service.databases import only_postgresql
from tests.service.stored import (
    OWN,
    TUNING,
    create,
    embeddings,
    loaded,
    rows,
    support,
    write,
)

PATIENCE = 60
# On SQLite transactions do not wait inside each other.
pytestmark = only_postgresql


def one_waits(engine: Engine) -> None:
    """Wait until one transaction waits for another."""
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    until = time.monotonic() + PATIENCE
    while True:
        with engine.connect() as connection:
            if connection.scalar(waiting):
                return
        assert time.monotonic() < until
        time.sleep(0.01)


def test_an_image_that_two_classifiers_let_go_of_at_once_is_gone(engine: Engine) -> None:
    store = Store(engine, OWN)
    for name in "ab":
        create(store, name, "ant")
        write(store, name, added=(support(1, "ant"),))
    first, second = (loaded(store, name) for name in "ab")
    with ThreadPoolExecutor(1) as threads:
        with writing(engine) as session:
            with removing_support(session, [], [first.support[0].id]):
                pass
            change = Change(removed=(second.support[0].id,))
            other = threads.submit(store.write, second.record.state, change)
            one_waits(engine)
        other.result(PATIENCE)
    assert rows(engine, ImageRow) == 0


def test_a_classifier_deleted_while_it_gets_an_image_takes_it_along(engine: Engine) -> None:
    store = Store(engine, OWN)
    create(store, "a", "ant")
    stored = loaded(store, "a")
    reading, go_on = Event(), Event()

    def read() -> bytes:
        reading.set()
        assert go_on.wait(PATIENCE)
        return b"pixels"

    with ThreadPoolExecutor(2) as threads:
        adding = threads.submit(
            store.write, stored.record.state, Change(added=(support(1, "ant", read=read),))
        )
        assert reading.wait(PATIENCE)
        deleting = threads.submit(store.delete_classifier, stored.record.id)
        one_waits(engine)
        go_on.set()
        adding.result(PATIENCE)
        deleting.result(PATIENCE)
    assert rows(engine, ImageRow) == 0
    with pytest.raises(Outdated):
        store.delete_classifier(stored.record.id)


@pytest.mark.parametrize("deletes_first", [True, False])
def test_views_that_one_lets_go_of_while_another_takes_them_are_there(
    engine: Engine, deletes_first: bool
) -> None:
    store = Store(engine, OWN)
    image = support(1, "ant", views=4, embeddings=embeddings(4), itself=embeddings(1))
    for name, views in (("old", 4), ("new", 4), ("plain", 1)):
        settings = ClassifierSettings(support_views=views)
        classes = (NewClass(label="ant"),)
        store.create(name, Change(settings=settings, tuning=TUNING, classes_added=classes))
    write(store, "old", added=(image,))
    write(store, "plain", added=(support(1, "ant"),))
    old, new = loaded(store, "old"), loaded(store, "new")
    removal = Change(removed=(old.support[0].id,))
    with ThreadPoolExecutor(1) as threads:
        with writing(engine) as session:
            if deletes_first:
                with removing_support(session, [], removal.removed):
                    pass
                change = Change(tuning=TUNING, added=(image,))
                other = threads.submit(store.write, new.record.state, change)
            else:
                write_support(session, "", new.record.id, [image], OWN, keep=False)
                other = threads.submit(store.write, old.record.state, removal)
            one_waits(engine)
        other.result(PATIENCE)
    assert torch.equal(loaded(store, "new").embeddings.frozen, embeddings(4).frozen)
    assert rows(engine, ViewsRow) == 1
