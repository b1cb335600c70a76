"""Two registries over one database, as of two processes: each answers from the latest state."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Event
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from sqlalchemy import Engine

from adapters.backbones import Backbone
from adapters.rest import no_rest
from service.problems import ChangedMeanwhile, ClassifierNotFound, ClassNotFound
from service.registry.registry import Registry
from service.storage.change import Change, NewClass, Written
from service.storage.engine import open_database
from service.storage.errors import Outdated
from service.storage.fingerprints import Origin
from service.storage.store import Store
from tests.service.databases import KINDS, new_database, only_sqlite
from tests.service.registries import SETTINGS, embeddings, fill, image, plain_store, registry

PATIENCE = 60
ROOM = 10**9


def one_of_several(store: Store, backbone: Backbone) -> Registry:
    return registry(store, backbone, ROOM, one_of_several=True)


def two(engine: Engine, backbone: Backbone) -> list[Registry]:
    return [one_of_several(plain_store(engine, backbone), backbone) for _ in range(2)]


def evidence(made: Registry, name: str) -> set[str]:
    [answer] = made.live(name).predict(embeddings(999), 1, 1000)
    return {shown.image_id for shown in answer.evidence}


def add(made: Registry, name: str, label: str, seed: int) -> str:
    [registered] = made.add_images(name, [(label, image(seed))])
    return registered.record.public_id


class Interrupted(Store):
    """A database that others change, now and then, just before a change is written to it."""

    def __init__(self, engine: Engine, backbone: Backbone) -> None:
        super().__init__(engine, Origin(backbone.fingerprint, backbone.name))
        self.others: list[Callable[[], object]] = []

    def write(self, *args: Any) -> Written:
        if self.others:
            self.others.pop()()
        return super().write(*args)


def interrupted(engine: Engine, backbone: Backbone) -> tuple[Interrupted, Registry, Registry]:
    """Two registries with a classifier; what is written by the first can be interrupted."""
    store = Interrupted(engine, backbone)
    here = one_of_several(store, backbone)
    there = one_of_several(plain_store(engine, backbone), backbone)
    fill(there, "a")
    return store, here, there


def test_a_change_that_comes_second_is_made_again_on_top(
    engine: Engine, backbone: Backbone
) -> None:
    store, here, there = interrupted(engine, backbone)
    before = evidence(here, "a")
    came: list[str] = []
    for seed in (100, 101, 102):
        store.others.append(lambda seed=seed: came.append(add(there, "a", "wasp", seed)))
    came.append(add(here, "a", "fly", 200))
    assert len(came) == 4
    for made in (here, there):
        assert evidence(made, "a") == before | set(came)
        assert list(made.live("a").classes) == ["ant", "bee", "wasp", "fly"]
    # Both have tuned on all of it.
    assert here.live("a").tuning == there.live("a").tuning


def test_a_change_of_what_was_deleted_meanwhile_finds_nothing(
    engine: Engine, backbone: Backbone
) -> None:
    store, here, there = interrupted(engine, backbone)
    here.live("a")
    store.others.append(lambda: there.delete("a"))
    with pytest.raises(ClassifierNotFound):
        add(here, "a", "ant", 100)
    fill(there, "a")
    store.others.append(lambda: there.delete_class("a", "bee"))
    with pytest.raises(ClassNotFound):
        here.delete_class("a", "bee")
    assert len(evidence(here, "a")) == 2


def test_a_change_that_others_never_let_through_is_given_up_whole(
    engine: Engine, backbone: Backbone
) -> None:
    store, here, there = interrupted(engine, backbone)
    store.others = [lambda i=i: add(there, "a", "ant", 100 + i) for i in range(40)]
    with pytest.raises(ChangedMeanwhile):
        add(here, "a", "fly", 999)
    assert "fly" not in here.live("a").classes
    assert len(evidence(here, "a")) == 4 + 30


def test_who_asks_while_a_change_is_taken_over_does_not_read_it_all_again(
    engine: Engine, backbone: Backbone
) -> None:
    written, go_on = Event(), Event()

    looked = Event()

    class Slow(Store):
        loads = 0

        def latest_state(self, name: str) -> Any:
            found = super().latest_state(name)
            if written.is_set():
                looked.set()
            return found

        def load(self, name: str) -> Any:
            self.loads += 1
            return super().load(name)

        def write(self, *args: Any) -> Written:
            done = super().write(*args)
            written.set()
            assert go_on.wait(PATIENCE)
            return done

    fill(one_of_several(plain_store(engine, backbone), backbone), "a")
    store = Slow(engine, Origin(backbone.fingerprint, backbone.name))
    made = one_of_several(store, backbone)
    assert len(evidence(made, "a")) == 4
    with ThreadPoolExecutor(2) as threads:
        change = threads.submit(add, made, "a", "ant", 100)
        assert written.wait(PATIENCE)
        asked = threads.submit(evidence, made, "a")
        assert looked.wait(PATIENCE)  # at what memory has not followed yet
        go_on.set()
        change.result(PATIENCE)
        assert len(asked.result(PATIENCE)) == 5
    assert store.loads == 1


def test_threads_of_two_registries_lose_nothing(engine: Engine, backbone: Backbone) -> None:
    both = two(engine, backbone)
    fill(both[0], "a", "b")

    def client(number: int) -> list[tuple[str, str]]:
        rng, added = random.Random(number), []
        for step in range(12):
            name, made = rng.choice("ab"), both[(number + step) % 2]
            added.append((name, add(made, name, rng.choice(["ant", "bee"]), 100 * number + step)))
            assert added[-1][1] in evidence(both[rng.randrange(2)], name)
        return added

    with ThreadPoolExecutor(4) as threads:
        added = [one for found in threads.map(client, range(1, 5)) for one in found]
    for name in "ab":
        expected = {public_id for whose, public_id in added if whose == name}
        for made in both:
            assert expected <= evidence(made, name)
            assert len(evidence(made, name)) == 4 + len(expected)


def test_a_store_refuses_a_change_of_an_older_state(engine: Engine, backbone: Backbone) -> None:
    store = plain_store(engine, backbone)
    fill(registry(store, backbone), "a")
    stored = store.load("a")
    assert stored is not None
    record = stored.record
    assert store.state("a") == record.state
    written = store.write(record.state, Change(tuning=record.tuning))
    assert written.revision == record.revision + 1
    more = Change(settings=SETTINGS, tuning=record.tuning, classes_added=(NewClass(label="new"),))
    with pytest.raises(Outdated):
        store.write(record.state, more)
    with pytest.raises(Outdated):
        store.create("a", more)
    again = store.load("a")
    assert again is not None
    assert [one.label for one in again.classes] == ["ant", "bee"]
    store.delete_classifier(record.id)
    assert store.state("a") is None
    with pytest.raises(Outdated):
        store.write(again.record.state, Change(tuning=record.tuning))
    with pytest.raises(Outdated):
        store.delete_classifier(record.id)


@only_sqlite  # PostgreSQL gives no id again
def test_one_made_again_under_the_same_id_is_another(engine: Engine, backbone: Backbone) -> None:
    here, there = two(engine, backbone)
    fill(there, "a")
    old = here.live("a").state
    there.delete("a")
    there.put("a", SETTINGS, ["cat"])
    new = there.live("a").state
    assert new.id == old.id  # SQLite gives it again
    assert new.revision < old.revision
    assert list(here.live("a").classes) == ["cat"]
    for made in (here, there):
        assert made.live("a").state == new
    add(here, "a", "ant", 1)  # which the old one had
    assert len(evidence(there, "a")) == 1
    # Nor is a change of the old one taken for one of the new, at the same revision.
    store = plain_store(engine, backbone)
    tuning = there.live("a").tuning
    with pytest.raises(Outdated):
        store.write(old._replace(revision=new.revision + 1), Change(tuning=tuning))


NAMES = ["a", "b"]
LABELS = ["ant", "bee"]


class TwoProcesses(RuleBasedStateMachine):
    """Whoever changes and whoever is asked, in any order: all agree with what was acknowledged."""

    kind: str
    backbone: Backbone

    @initialize()
    def begin(self) -> None:
        self.database = new_database(self.kind)
        self.engine = open_database(self.database.__enter__())
        self.both = [
            one_of_several(plain_store(self.engine, self.backbone), self.backbone) for _ in range(2)
        ]
        self.images: dict[str, dict[str, set[str]]] = {}
        self.seed = 0

    @rule(who=st.integers(0, 1), name=st.sampled_from(NAMES))
    def fill(self, who: int, name: str) -> None:
        """From then on single changes are tuned afterwards."""
        if name in self.images:
            images = [(LABELS[i % 2], image(self.seed + 1 + i)) for i in range(70)]
            self.seed += len(images)
            for answer in self.both[who].add_images(name, images):
                added = self.images[name].setdefault(answer.label, set())
                added.add(answer.record.public_id)

    @rule(who=st.integers(0, 1), name=st.sampled_from(NAMES))
    def tune(self, who: int, name: str) -> None:
        """As the thread of one of them does, whether it is to or not."""
        with suppress(Outdated):
            self.both[who].tune(name, no_rest)

    @rule(name=st.sampled_from(NAMES))
    def settle(self, name: str) -> None:
        if name not in self.images:
            return
        for one in self.both:
            one.live(name)
            for _ in range(3):  # to follow, to fit to another's tuning, to find one
                one.tune(name, no_rest)
        here, there = (one.live(name) for one in self.both)
        read = one_of_several(plain_store(self.engine, self.backbone), self.backbone).live(name)
        assert here.state == there.state == read.state
        assert here.tuning == there.tuning == read.tuning
        assert here.tuning_is_current
        assert there.tuning_is_current
        assert here.support == there.support == read.support
        if self.images[name]:
            answers = [one.predict(embeddings(7), 9, 0)[0].top_k for one in (here, there, read)]
            by_label = [{top.label: top.probability for top in top_k} for top_k in answers]
            assert by_label[0] == pytest.approx(by_label[2], abs=1e-4)
            assert by_label[1] == pytest.approx(by_label[2], abs=1e-4)

    @rule(who=st.integers(0, 1), name=st.sampled_from(NAMES), label=st.sampled_from(LABELS))
    def put(self, who: int, name: str, label: str) -> None:
        assert self.both[who].put(name, SETTINGS, [label]) == (name not in self.images)
        self.images.setdefault(name, {}).setdefault(label, set())

    @rule(who=st.integers(0, 1), name=st.sampled_from(NAMES), label=st.sampled_from(LABELS))
    def add(self, who: int, name: str, label: str) -> None:
        if name in self.images:
            self.seed += 1
            added = add(self.both[who], name, label, self.seed)
            self.images[name].setdefault(label, set()).add(added)

    @rule(who=st.integers(0, 1), name=st.sampled_from(NAMES), label=st.sampled_from(LABELS))
    def delete_class(self, who: int, name: str, label: str) -> None:
        if label in self.images.get(name, {}):
            self.both[who].delete_class(name, label)
            del self.images[name][label]

    @rule(who=st.integers(0, 1), name=st.sampled_from(NAMES))
    def delete(self, who: int, name: str) -> None:
        if name in self.images:
            self.both[who].delete(name)
            del self.images[name]

    @rule(who=st.integers(0, 1), name=st.sampled_from(NAMES))
    def ask(self, who: int, name: str) -> None:
        if name not in self.images:
            with pytest.raises(ClassifierNotFound):
                self.both[who].live(name)
            return
        live = self.both[who].live(name)
        assert set(live.classes) == set(self.images[name])
        if self.images[name]:
            expected = {one for images in self.images[name].values() for one in images}
            assert evidence(self.both[who], name) == expected

    def teardown(self) -> None:
        self.engine.dispose()
        self.database.__exit__(None, None, None)


@pytest.mark.parametrize("kind", KINDS)
def test_two_processes_agree_with_what_was_acknowledged(kind: str, backbone: Backbone) -> None:
    TwoProcesses.kind, TwoProcesses.backbone = kind, backbone
    run_state_machine_as_test(
        TwoProcesses,
        settings=settings(
            max_examples=15 if kind == "sqlite" else 6, stateful_step_count=25, deadline=None
        ),
    )
