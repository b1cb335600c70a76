"""Two registries over one database: memory follows by what was changed, not by reading it all."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from typing import Any

import pytest
from sqlalchemy import Engine

from adapters.backbones import Backbone
from adapters.rest import no_rest
from service.classifier_settings import ClassifierSettings
from service.problems import ClassifierNotFound
from service.registry.registry import Registry
from service.storage.fingerprints import Origin
from service.storage.records import State
from service.storage.store import Store
from tests.service.registries import SETTINGS, embeddings, image, plain_store, registry

PATIENCE = 60
ROOM = 10**9
#: More than are tuned at once.
MANY = 70


class Counting(Store):
    """Counts how often classifiers are read whole."""

    def __init__(self, engine: Engine, backbone: Backbone) -> None:
        super().__init__(engine, Origin(backbone.fingerprint, backbone.name), store_images=False)
        self.loads = 0

    def load(self, name: str) -> Any:
        self.loads += 1
        return super().load(name)


def two(
    engine: Engine, backbone: Backbone, settings: ClassifierSettings = SETTINGS
) -> tuple[Registry, Registry, Counting]:
    """One that changes a classifier "a", and one that has it in memory, with its store."""
    there = registry(plain_store(engine, backbone), backbone, ROOM, one_of_several=True)
    there.put("a", settings, ["ant", "bee", "cat"])
    there.add_images("a", [(["ant", "bee", "cat"][i % 3], image(i)) for i in range(MANY)])
    store = Counting(engine, backbone)
    here = registry(store, backbone, ROOM, one_of_several=True)
    here.live("a")
    assert store.loads == 1
    return there, here, store


def same(here: Registry, there: Registry) -> None:
    mine, theirs = here.live("a"), there.live("a")
    assert mine.state == theirs.state
    assert mine.tuning_is_current == theirs.tuning_is_current
    assert mine.tuning == theirs.tuning
    assert list(mine.classes) == list(theirs.classes)
    assert mine.support == theirs.support
    for seed in (7, 8):
        got, want = (one.predict(embeddings(seed), 9, 100)[0] for one in (mine, theirs))
        assert [one.label for one in got.top_k] == [one.label for one in want.top_k]
        assert [one.probability for one in got.top_k] == pytest.approx(
            [one.probability for one in want.top_k], abs=1e-5
        )
        assert {one.image_id for one in got.evidence} == {one.image_id for one in want.evidence}


@pytest.mark.parametrize("meaning", [True, False])
def test_images_and_classes_are_followed_without_reading_the_others(
    engine: Engine, backbone: Backbone, meaning: bool
) -> None:
    settings = ClassifierSettings(method="tip-adapter", names_carry_meaning=meaning)
    there, here, store = two(engine, backbone, settings)
    live = here.live("a")
    [added] = there.add_images("a", [("dog", image(1000))])
    same(here, there)
    there.put_class("a", "eel")
    there.add_images("a", [("eel", image(1001)), ("ant", image(1002))])
    there.delete_image("a", "dog", added.record.public_id)
    same(here, there)
    there.add_images("a", [("dog", image(1003))])
    there.delete_class("a", "dog")  # and what came meanwhile
    there.delete_class("a", "bee")
    same(here, there)
    assert store.loads == 1
    assert here.live("a") is live


def test_bulk_brings_its_tuning_along(engine: Engine, backbone: Backbone) -> None:
    there, here, store = two(engine, backbone)
    there.add_images("a", [("ant", image(i)) for i in range(1000, 1020)])
    assert there.live("a").tuning_is_current
    same(here, there)
    assert store.loads == 1


def test_a_tuning_alone_holds_up_nobody(engine: Engine, backbone: Backbone) -> None:
    """Answers go on by the tuning before until what is fitted has been fitted to the new one."""
    there, here, store = two(engine, backbone)
    there.add_images("a", [("ant", image(1000))])
    same(here, there)
    before = here.live("a").tuning
    assert there.tune("a", no_rest) == "written"
    live = here.live("a")
    assert live.state == there.live("a").state
    assert live.tuning == before != there.live("a").tuning
    assert here.tunings.take(patience=0) == "a"
    assert here.tune("a", no_rest) == "nothing"
    same(here, there)
    # A change and its tuning that are followed together take effect one after the other as well.
    there.add_images("a", [("bee", image(1001))])
    assert there.tune("a", no_rest) == "written"
    assert len(here.live("a").support) == MANY + 2
    assert here.live("a").tuning != there.live("a").tuning
    there.add_images("a", [("bee", image(1002))])  # and is stale again before it is fitted to
    here.live("a")
    assert here.tune("a", no_rest) == "nothing"
    same(here, there)
    assert not here.live("a").tuning_is_current
    assert store.loads == 1


def test_what_cannot_be_followed_is_read_anew(engine: Engine, backbone: Backbone) -> None:
    there, here, store = two(engine, backbone)
    there.put("a", ClassifierSettings(method="gda"), [])
    same(here, there)
    assert store.loads == 2
    there.delete("a")
    with pytest.raises(ClassifierNotFound):
        here.live("a")
    there.put("a", SETTINGS, ["ant"])
    there.add_images("a", [("ant", image(1))])
    same(here, there)


def test_what_does_not_fit_memory_is_read_anew(
    engine: Engine, backbone: Backbone, caplog: pytest.LogCaptureFixture
) -> None:
    there, here, store = two(engine, backbone)
    lost = next(iter(here.live("a").support))
    record = here.live("a").support.pop(lost)  # as no defect should
    there.delete_image("a", "ant", record.public_id)
    same(here, there)
    assert store.loads == 2
    assert "cannot follow its changes and is read anew" in caplog.text


def test_one_thread_follows_for_all(engine: Engine, backbone: Backbone) -> None:
    there, here, store = two(engine, backbone)
    there.add_images("a", [("ant", image(1000))])
    asked, go_on, followed = Barrier(4), Event(), 0
    since = store.written_since

    def slowly(state: State) -> Any:
        nonlocal followed
        followed += 1
        assert go_on.wait(PATIENCE)
        return since(state)

    def ask() -> int:
        asked.wait(PATIENCE)
        return len(here.live("a").support)

    store.written_since = slowly  # type: ignore[method-assign]
    with ThreadPoolExecutor(4) as threads:
        asking = [threads.submit(ask) for _ in range(4)]
        go_on.set()
        assert [one.result(PATIENCE) for one in asking] == [MANY + 1] * 4
    assert followed == 1
    assert store.loads == 1
