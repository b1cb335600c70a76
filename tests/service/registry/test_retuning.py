"""Tunings that come after the change, over a real database; by hand, without the thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine

from adapters.backbones import Backbone
from adapters.rest import Rest, no_rest
from service.classifier_settings import ClassifierSettings
from service.registry.registry import Registry
from service.storage.errors import Outdated
from service.storage.records import TuningState
from service.storage.store import Store
from tests.service.registries import (
    SETTINGS,
    embeddings,
    image,
    plain_store,
    registry,
)

ROOM = 10**9
#: More than are tuned at once.
MANY = 70


def made(engine: Engine, backbone: Backbone, memory: int = ROOM) -> tuple[Store, Registry]:
    """A classifier "a" of three classes, whose single changes are tuned afterwards."""
    store = plain_store(engine, backbone)
    registered = registry(store, backbone, memory)
    registered.put("a", SETTINGS, ["ant", "bee", "cat"])
    registered.add_images("a", [(["ant", "bee", "cat"][i % 3], image(i)) for i in range(MANY)])
    return store, registered


def tuning_state(store: Store, name: str = "a") -> TuningState:
    record = store.classifier(name)
    assert record is not None
    return record.tuning_state


def due(registered: Registry) -> list[str]:
    """The queue, emptied."""
    names = []
    while (name := registered.tunings.take(patience=0)) is not None:
        names.append(name)
        registered.tunings.done(name, 0.0, for_nothing=False)
    return names


def between(then: Callable[[], object]) -> Rest:
    """Do something in the midst of a tuning, once."""
    todo = [then]

    def rest() -> None:
        if todo:
            todo.pop()()

    return rest


def test_a_single_image_is_tuned_afterwards_and_bulk_at_once(
    engine: Engine, backbone: Backbone
) -> None:
    store, registered = made(engine, backbone)
    assert due(registered) == []
    assert tuning_state(store).is_current
    before = registered.live("a").tuning
    registered.add_images("a", [("ant", image(1000))])
    live = registered.live("a")
    assert live.tuning == before
    assert not live.tuning_is_current
    assert (tuning_state(store).is_current, tuning_state(store).images_behind) == (False, 1)
    assert due(registered) == ["a"]
    assert len(live.predict(embeddings(999), 1, 1000)[0].evidence) == MANY + 1

    assert registered.tune("a", no_rest) == "written"
    assert live.tuning.votes == MANY + 1
    assert live.tuning_is_current
    assert (tuning_state(store).is_current, tuning_state(store).images_behind) == (True, 0)
    assert registered.tune("a", no_rest) == "nothing"
    assert due(registered) == []

    registered.add_images("a", [("bee", image(i)) for i in range(2000, 2009)])
    assert tuning_state(store).is_current
    registered.put("a", ClassifierSettings(method="gda"), [])
    assert tuning_state(store).is_current
    assert due(registered) == []


def test_each_kind_of_change_of_a_large_classifier_is_tuned_afterwards(
    engine: Engine, backbone: Backbone
) -> None:
    store, registered = made(engine, backbone)
    registered.add_images("a", [("dog", image(1000)), ("dog", image(1001))])
    registered.put_class("a", "eel")
    registered.put("a", SETTINGS, ["fox"])
    record = next(iter(registered.live("a").support.values()))
    registered.delete_image("a", "ant", record.public_id)
    registered.delete_class("a", "dog")
    assert not tuning_state(store).is_current
    assert tuning_state(store).images_behind == 2 + 1 + 2
    assert registered.tune("a", no_rest) == "written"
    # The state is the one that the whole would have been read and tuned to.
    again = registry(plain_store(engine, backbone), backbone, ROOM)
    assert again.live("a").tuning == registered.live("a").tuning
    assert again.live("a").classes.keys() == registered.live("a").classes.keys()
    assert again.live("a").predict(embeddings(7), 9, 9) == registered.live("a").predict(
        embeddings(7), 9, 9
    )


def test_a_change_meanwhile_makes_a_tuning_outdated(engine: Engine, backbone: Backbone) -> None:
    store, registered = made(engine, backbone)
    registered.add_images("a", [("ant", image(1000))])
    assert due(registered) == ["a"]
    old = registered.live("a").tuning

    def meanwhile() -> None:
        registered.add_images("a", [("bee", image(1001))])

    with pytest.raises(Outdated):
        registered.tune("a", between(meanwhile))
    assert registered.live("a").tuning == old
    assert tuning_state(store).images_behind == 2
    assert due(registered) == ["a"]
    assert registered.tune("a", no_rest) == "written"
    assert registered.live("a").tuning.votes == MANY + 2


def test_a_tuning_is_abandoned_whole(engine: Engine, backbone: Backbone) -> None:
    class Ends(Exception):
        pass

    store, registered = made(engine, backbone)
    registered.add_images("a", [("ant", image(1000))])

    def end() -> None:
        raise Ends

    with pytest.raises(Ends):
        registered.tune("a", between(end))
    assert not tuning_state(store).is_current
    assert registered.tune("a", no_rest) == "written"


def test_what_is_gone_or_not_in_memory_is_not_loaded_to_be_tuned(
    engine: Engine, backbone: Backbone
) -> None:
    store, registered = made(engine, backbone, memory=1)
    registered.add_images("a", [("ant", image(1000))])
    old = registered.live("a")

    def evict() -> None:
        registered.put("b", SETTINGS, ["ant"])
        registered.live("b")
        assert registered.in_memory("a") is None

    assert registered.tune("a", between(evict)) == "nothing"
    assert registered.tune("a", no_rest) == "nothing"
    assert registered.in_memory("a") is None
    assert not old.tuning_is_current
    # Who asks for it has it tuned.
    due(registered)
    registered.live("a")
    assert due(registered) == ["a"]
    assert registered.tune("a", no_rest) == "written"
    registered.add_images("a", [("ant", image(1001))])
    assert registered.tune("a", between(lambda: registered.delete("a"))) == "nothing"
    assert registered.tune("a", no_rest) == "nothing"
    assert store.classifier("a") is None


def test_being_tuned_is_no_use(engine: Engine, backbone: Backbone) -> None:
    _, registered = made(engine, backbone)
    registered.put("b", SETTINGS, ["ant"])
    registered.add_images("a", [("ant", image(1000))])
    registered.live("b")
    order = list(registered._loaded._entries)
    assert registered.tune("a", no_rest) == "written"
    assert list(registered._loaded._entries) == order == ["a", "b"]


def test_a_write_that_another_process_was_quicker_than_is_outdated(
    engine: Engine, backbone: Backbone
) -> None:
    class Interrupted(Store):
        then: Callable[[], object] | None = None

        def write(self, *args: Any) -> Any:
            if self.then is not None:
                then, self.then = self.then, None
                then()
            return super().write(*args)

    _, there = made(engine, backbone)
    plain = plain_store(engine, backbone)
    store = Interrupted(engine, plain.origin(plain.fingerprint))
    here = registry(store, backbone, ROOM, one_of_several=True)
    there.add_images("a", [("ant", image(1000))])
    here.live("a")
    assert due(here) == []  # it is left to the other for a while
    assert here.tunings.pending("a")
    store.then = lambda: there.add_images("a", [("ant", image(1001))])
    with pytest.raises(Outdated):
        here.tune("a", no_rest)
    assert here.tune("a", no_rest) == "nothing"  # it follows, and leaves it to the other again
    assert len(here.live("a").support) == MANY + 2
    assert here.tune("a", no_rest) == "written"


@pytest.mark.parametrize("meaning", [True, False])
def test_the_last_class_can_go_and_come_back(
    engine: Engine, backbone: Backbone, meaning: bool
) -> None:
    registered = registry(plain_store(engine, backbone), backbone, ROOM)
    registered.put("a", ClassifierSettings(names_carry_meaning=meaning), [])
    for seed in (1, 2):
        registered.add_images("a", [("ant", image(seed))])
        registered.delete_class("a", "ant")
        assert len(registered.live("a").basis().classes) == 0
    registered.add_images("a", [("ant", image(1))])
    assert [one.label for one in registered.live("a").predict(embeddings(9), 5, 5)[0].top_k] == [
        "ant"
    ]
