"""Classifiers in memory: as many as fit, over a real database, and nothing is lost by it."""

from __future__ import annotations

import random
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from prometheus_client import REGISTRY
from sqlalchemy import Engine

from adapters.backbones import Backbone
from service.problems import ClassifierNotFound
from service.storage.change import Written
from service.storage.engine import open_database
from service.storage.fingerprints import Origin
from service.storage.records import State, StoredClassifier
from service.storage.store import Store
from tests.service.client import Classifier
from tests.service.databases import KINDS, new_database
from tests.service.pictures import picture
from tests.service.registries import (
    SETTINGS,
    embeddings,
    fill,
    image,
    n_images,
    plain_store,
    registry,
)
from tests.service.server import Server

PATIENCE = 60


class Held(Store):
    """A database that can be made to wait."""

    def __init__(self, engine: Engine, backbone: Backbone) -> None:
        super().__init__(engine, Origin(backbone.fingerprint, backbone.name))
        self.loads = Gate()
        self.changes = Gate()

    def load(self, name: str) -> StoredClassifier | None:
        self.loads.pass_by(name)
        return super().load(name)

    def write(self, state: State, *args: Any) -> Written:
        self.changes.pass_by(state.id)
        return super().write(state, *args)


class Gate:
    """Stops whoever comes with a certain name, until it is opened."""

    def __init__(self) -> None:
        self.stopped: object = None
        self.arrived, self.open = Event(), Event()

    def stop(self, name: object) -> None:
        self.stopped = name

    def pass_by(self, name: object) -> None:
        if name == self.stopped:
            self.arrived.set()
            assert self.open.wait(PATIENCE)


def metric(name: str) -> float:
    value = REGISTRY.get_sample_value(f"handful_{name}")
    assert value is not None
    return value


def test_a_dropped_classifier_comes_back_as_it_was(engine: Engine, backbone: Backbone) -> None:
    made = registry(plain_store(engine, backbone), backbone)
    fill(made, "a", "b")
    asked = {name: made.live(name).predict(embeddings(999), 5, 10) for name in "ab"}
    unloaded = metric("classifiers_unloaded_total")
    for name in "abab":
        assert made.live(name).predict(embeddings(999), 5, 10) == asked[name]
        assert metric("classifiers_loaded") == 1
    assert metric("classifiers_unloaded_total") == unloaded + 4
    assert asked["a"] != asked["b"]


def test_whoever_still_asks_a_dropped_classifier_gets_answers(
    engine: Engine, backbone: Backbone
) -> None:
    made = registry(plain_store(engine, backbone), backbone)
    fill(made, "a", "b")
    old = made.live("a")
    made.live("b")
    made.add_images("a", [("ant", image(100))])
    assert len(old.predict(embeddings(999), 1, 100)[0].evidence) == 4
    assert n_images(made, "a") == 5


def test_loading_one_keeps_nobody_else_waiting(engine: Engine, backbone: Backbone) -> None:
    store = Held(engine, backbone)
    fill(registry(store, backbone), "slow", "quick", "other")
    made = registry(store, backbone, memory=10**9)
    store.loads.stop("slow")
    with ThreadPoolExecutor(4) as threads:
        slow = [threads.submit(made.live, "slow") for _ in range(2)]
        try:
            assert store.loads.arrived.wait(PATIENCE)
            for name in ("quick", "other", "quick"):
                assert threads.submit(n_images, made, name).result(PATIENCE) == 4
            threads.submit(made.add_images, "quick", [("ant", image(50))]).result(PATIENCE)
            assert not any(one.done() for one in slow)
        finally:
            store.loads.open.set()
        first, second = (one.result(PATIENCE) for one in slow)
    assert first is second


def test_who_asks_waits_for_the_load_and_not_for_the_change(
    engine: Engine, backbone: Backbone
) -> None:
    store = Held(engine, backbone)
    fill(registry(store, backbone), "a")
    made = registry(store, backbone)
    record = store.classifier("a")
    assert record is not None
    store.loads.stop("a")
    store.changes.stop(record.id)
    with ThreadPoolExecutor(2) as threads:
        change = threads.submit(made.add_images, "a", [("ant", image(50))])
        try:
            assert store.loads.arrived.wait(PATIENCE)
            asked = threads.submit(n_images, made, "a")
            store.loads.open.set()
            assert asked.result(PATIENCE) == 4
            assert not change.done()
        finally:
            store.loads.open.set()
            store.changes.open.set()
        change.result(PATIENCE)
    assert n_images(made, "a") == 5


def test_what_is_being_changed_is_not_dropped(engine: Engine, backbone: Backbone) -> None:
    store = Held(engine, backbone)
    made = registry(store, backbone)
    fill(made, "a", "b", "c")
    record = store.classifier("a")
    assert record is not None
    store.changes.stop(record.id)
    with ThreadPoolExecutor(1) as threads:
        change = threads.submit(made.add_images, "a", [("ant", image(50))])
        try:
            assert store.changes.arrived.wait(PATIENCE)
            live = made.live("a")
            for name in "bcb":
                assert n_images(made, name) == 4
            assert made.live("a") is live
        finally:
            store.changes.open.set()
        change.result(PATIENCE)
    assert len(live.predict(embeddings(999), 1, 100)[0].evidence) == 5
    assert n_images(made, "a") == 5
    assert metric("classifiers_loaded") == 1


def test_names_of_nothing_leave_no_place(engine: Engine, backbone: Backbone) -> None:
    made = registry(plain_store(engine, backbone), backbone, memory=10**9)
    fill(made, "a", "b")
    made.delete("a")
    for name in ("a", "never", "c"):
        for ask in (made.live, made.delete, lambda name: made.add_images(name, [])):
            with pytest.raises(ClassifierNotFound):
                ask(name)
    made.put("new", SETTINGS, [])
    assert metric("classifiers_loaded") == 1
    made.delete("b")
    assert metric("classifiers_loaded") == 0
    assert metric("classifiers_bytes") == 0


def test_many_threads_lose_nothing_while_classifiers_come_and_go(
    engine: Engine, backbone: Backbone
) -> None:
    names = ["a", "b", "c", "d"]
    store = plain_store(engine, backbone)
    first = registry(store, backbone, memory=10**9)
    fill(first, *names)
    made = registry(store, backbone, memory=2 * first.live("a").nbytes)
    counting = Lock()
    begun, acknowledged = dict.fromkeys(names, 4), dict.fromkeys(names, 4)
    unloaded = metric("classifiers_unloaded_total")

    def add(name: str, seed: int) -> str:
        with counting:
            begun[name] += 1
        [registered] = made.add_images(
            name, [(random.Random(seed).choice(["ant", "bee"]), image(seed))]
        )
        with counting:
            acknowledged[name] += 1
        return registered.record.public_id

    def ask(name: str) -> None:
        with counting:
            least = acknowledged[name]
        found = n_images(made, name)
        with counting:
            most = begun[name]
        assert least <= found <= most

    def client(number: int) -> list[tuple[str, str]]:
        rng, added = random.Random(number), []
        for step in range(30):
            name = rng.choice(names)
            if rng.random() < 0.25:
                added.append((name, add(name, 1000 * (number + 1) + step)))
            ask(rng.choice([name, *names]))
        return added

    with ThreadPoolExecutor(6) as threads:
        added = [one for found in threads.map(client, range(6)) for one in found]
    assert metric("classifiers_unloaded_total") > unloaded
    assert metric("classifiers_bytes") <= 2 * first.live("a").nbytes + made.live("a").nbytes
    again = registry(plain_store(engine, backbone), backbone)
    for name in names:
        expected = {public_id for whose, public_id in added if whose == name}
        for registered in (made, again):
            kept = {record.public_id for record in registered.live(name).support.values()}
            assert expected <= kept
            assert len(kept) == 4 + len(expected)


@dataclass
class Model:
    """What should be in memory: bytes by name, the least recently used first."""

    bound: int
    sizes: OrderedDict[str, int]

    def use(self, name: str, nbytes: int) -> None:
        self.sizes[name] = nbytes
        self.sizes.move_to_end(name)
        while sum(self.sizes.values()) > self.bound and len(self.sizes) > 1:
            self.sizes.popitem(last=False)


NAMES = [f"c{i}" for i in range(6)]


class LoadedMachine(RuleBasedStateMachine):
    """Any order of uses keeps those used last, as many as fit, and the very last one."""

    kind: str
    backbone: Backbone

    @initialize(room=st.floats(0.1, 6))
    def begin(self, room: float) -> None:
        self.database = new_database(self.kind)
        self.engine = open_database(self.database.__enter__())
        self.store = plain_store(self.engine, self.backbone)
        sizes = registry(self.store, self.backbone)
        fill(sizes, *NAMES)
        bound = int(room * sizes.live(NAMES[0]).nbytes)
        self.registry = registry(self.store, self.backbone, memory=bound)
        self.model = Model(bound, OrderedDict())
        self.counts = dict.fromkeys(NAMES, 4)
        self.seed = 1000

    def used(self, name: str) -> None:
        live = self.registry.live(name)  # what was just used is there
        self.model.use(name, live.nbytes)

    @rule(name=st.sampled_from(NAMES))
    def ask(self, name: str) -> None:
        loads = metric("classifier_load_seconds_count")
        if self.counts[name]:
            assert n_images(self.registry, name) == self.counts[name]
            assert metric("classifier_load_seconds_count") - loads == (name not in self.model.sizes)
            self.used(name)
        else:
            with pytest.raises(ClassifierNotFound):
                self.registry.live(name)

    @rule(name=st.sampled_from(NAMES), number=st.integers(1, 3))
    def add(self, name: str, number: int) -> None:
        self.registry.put(name, SETTINGS, ["ant"])
        images = [("ant", image(self.seed + i)) for i in range(number)]
        self.registry.add_images(name, images)
        self.seed += number
        self.counts[name] += number
        self.used(name)

    @rule(name=st.sampled_from(NAMES))
    def delete(self, name: str) -> None:
        if not self.counts[name]:
            return
        self.used(name)  # it is loaded to be deleted, and others are dropped for nothing
        self.registry.delete(name)
        self.counts[name] = 0
        del self.model.sizes[name]

    @invariant()
    def memory_holds_what_the_model_holds(self) -> None:
        if not self.model.sizes:
            return
        assert metric("classifiers_loaded") == len(self.model.sizes)
        assert metric("classifiers_bytes") == sum(self.model.sizes.values())
        assert len(self.model.sizes) == 1 or metric("classifiers_bytes") <= self.model.bound

    def teardown(self) -> None:
        self.engine.dispose()
        self.database.__exit__(None, None, None)


@pytest.mark.parametrize("kind", KINDS)
def test_any_order_of_uses_keeps_those_used_last(kind: str, backbone: Backbone) -> None:
    LoadedMachine.kind, LoadedMachine.backbone = kind, backbone
    run_state_machine_as_test(
        LoadedMachine,
        settings=settings(
            max_examples=10 if kind == "sqlite" else 4, stateful_step_count=20, deadline=None
        ),
    )


def test_answers_over_http_do_not_tell_that_a_classifier_was_dropped(
    tmp_path: Path, vit: str
) -> None:
    with (
        Server.ready(tmp_path / "data", backbone=vit, classifier_memory=1) as running,
        running.client() as http,
    ):
        red, blue = picture(1), picture(2)
        classifiers = [Classifier(http, name) for name in ("a", "b")]
        for classifier, image in zip(classifiers, (red, blue), strict=True):
            classifier.put().raise_for_status()
            classifier.post("one", image).raise_for_status()
            classifier.post("two", picture(3)).raise_for_status()
        before = [classifier.predictions(red) for classifier in classifiers]
        for _ in range(2):
            assert [classifier.predictions(red) for classifier in classifiers] == before
        told = http.get("/metrics").text
        assert "handful_classifiers_loaded 1.0" in told
        assert "handful_classifiers_unloaded_total 0.0" not in told
