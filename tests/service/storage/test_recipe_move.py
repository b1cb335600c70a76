"""Any sequence of changes and of steps of a move: what is read is always of one recipe."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from adapters.embeddings import ImageEmbeddings
from service.classifier_settings import ClassifierSettings
from service.images.embedded import SupportImage
from service.problems import OtherBackbone, ReEmbeddingUnderWay
from service.storage.change import Change, NewClass
from service.storage.engine import open_database
from service.storage.errors import Outdated
from service.storage.fingerprints import check_fingerprints
from service.storage.moved_embeddings import MovedEmbeddings
from service.storage.recipe_move import RecipeMoves
from service.storage.store import Store
from service.storage.tables import ImageRow, ReEmbeddedRow, ViewsRow
from tests.service.databases import KINDS, new_database
from tests.service.stored import (
    OWN,
    TUNING,
    create,
    embeddings,
    loaded,
    rows,
    seed_of,
    support,
    write,
)

OLD, NEW = OWN.fingerprint, "e" * 64
RECIPES = {OLD: 0, NEW: 1}
NAMES = "abc"


def embedded(seed: int, fingerprint: str, views: int = 1) -> ImageEmbeddings:
    """What an image is in a recipe, with so many views."""
    return embeddings(100 * seed + 10 * RECIPES[fingerprint] + views)


def given(seed: int, fingerprint: str, views: int) -> SupportImage:
    itself = None if views == 1 else embedded(seed, fingerprint)
    return support(
        seed,
        "ant",
        fingerprint=fingerprint,
        embeddings=embedded(seed, fingerprint, views),
        views=views,
        itself=itself,
    )


def opened(engine: Engine) -> Store:
    return Store(engine, OWN, accepts=RECIPES.__contains__)


class Moving(RuleBasedStateMachine):
    """Classifiers with their recipe, number of views and images, as they should be read."""

    kind: str

    @initialize()
    def begin_empty(self) -> None:
        self.database = new_database(self.kind)
        self.engine = open_database(self.database.__enter__())
        self.store, self.moves = opened(self.engine), RecipeMoves(self.engine, OWN)
        self.embeddings = MovedEmbeddings(self.engine, OWN)
        self.expected: dict[str, tuple[str, int, list[int]]] = {}

    @rule(name=st.sampled_from(NAMES), views=st.sampled_from([1, 3]))
    def make(self, name: str, views: int) -> None:
        if name not in self.expected:
            self.store.create(
                name,
                Change(
                    settings=ClassifierSettings(support_views=views),
                    tuning=TUNING,
                    classes_added=(NewClass(label="ant"),),
                ),
            )
            self.expected[name] = self.store.fingerprint, views, []

    @rule(name=st.sampled_from(NAMES), seed=st.integers(1, 6))
    def add(self, name: str, seed: int) -> None:
        if name in self.expected:
            fingerprint, views, seeds = self.expected[name]
            if seed not in seeds:
                write(self.store, name, added=(given(seed, fingerprint, views),))
                seeds.append(seed)

    @rule(name=st.sampled_from(NAMES), which=st.integers(0, 5))
    def remove(self, name: str, which: int) -> None:
        if name in self.expected and (seeds := self.expected[name][2]):
            seed = seeds.pop(which % len(seeds))
            held = loaded(self.store, name).support
            [one] = [record.id for record in held if seed_of(record.sha256) == seed]
            write(self.store, name, removed=(one,))

    @rule(name=st.sampled_from(NAMES))
    def delete(self, name: str) -> None:
        if self.expected.pop(name, None) is not None:
            found = self.store.find(name)
            assert found is not None
            self.store.delete_classifier(found, name)

    @rule(wanted=st.sampled_from([OLD, NEW]))
    def ask(self, wanted: str) -> None:
        move = self.moves.current()
        if move is not None and move.target != wanted:
            with pytest.raises(ReEmbeddingUnderWay):
                self.moves.begin(self.store.fingerprint, wanted)
        elif move is not None or wanted != self.store.fingerprint:
            self.moves.begin(self.store.fingerprint, wanted)
            self.store.make_under(wanted)

    @rule()
    def cancel(self) -> None:
        move = self.moves.current()
        back = self.moves.turn_back()
        assert (back is None) == (move is None or move.arrived)
        if back is not None:
            self.store.make_under(back.target)

    @precondition(lambda self: self.moves.current() is not None)
    @rule(most=st.integers(1, 4))
    def embed(self, most: int) -> None:
        move = self.moves.current()
        assert move is not None
        missing = self.embeddings.missing(move.target, 0, most)
        made = {
            image.id: {
                n: embedded(seed_of(image.sha256), move.target, n) for n in (1, *image.views)
            }
            for image in missing
        }
        self.embeddings.write_embedded(move.target, made)
        left = {image.id for image in self.embeddings.missing(move.target, 0, 100)}
        assert left.isdisjoint(made)

    @precondition(lambda self: self.moves.current() is not None)
    @rule(name=st.sampled_from(NAMES))
    def change_over(self, name: str) -> None:
        move = self.moves.current()
        assert move is not None
        if name not in self.expected or self.expected[name][0] == move.target:
            return
        try:
            stored = self.embeddings.load(name, move.target)
        except OtherBackbone:
            assert self.embeddings.missing(move.target, 0, 1)
            return
        assert stored is not None
        state = stored.record.state
        self.embeddings.change_over(state, move.target, TUNING, None)
        with pytest.raises(Outdated):  # what was made for the state before is not written
            self.store.write(state, Change(tuning=TUNING))
        self.expected[name] = move.target, *self.expected[name][1:]

    @precondition(lambda self: self.moves.current() is not None)
    @rule()
    def settle(self) -> None:
        move = self.moves.current()
        assert move is not None
        arrived = all(of == move.target for of, _, _ in self.expected.values())
        if move.arrived or not self.embeddings.missing(move.target, 0, 1):
            assert self.moves.arrive(move.target) == arrived
            if arrived:
                self.embed(100)
                while self.embeddings.settle(move.target):
                    self.as_expected()
                assert rows(self.engine, ReEmbeddedRow) == 0
                with Session(self.engine) as session:
                    for table in (ImageRow, ViewsRow):
                        assert set(session.scalars(select(table.fingerprint))) <= {move.target}

    @rule()
    def restart(self) -> None:
        check_fingerprints(self.engine, replace(OWN, fingerprint=self.store.fingerprint))
        own = self.store.fingerprint
        self.store = opened(self.engine)
        self.store.make_under(own)

    @invariant()
    def as_expected(self) -> None:
        assert [one.name for one in self.store.classifiers()] == sorted(self.expected)
        for name, (fingerprint, views, seeds) in self.expected.items():
            stored = loaded(self.store, name)
            assert stored.record.state.fingerprint == fingerprint
            assert [seed_of(record.sha256) for record in stored.support] == seeds
            for place, seed in enumerate(seeds):
                one = embedded(seed, fingerprint, views)
                assert torch.equal(stored.embeddings.frozen[place], one.frozen[0])
                assert torch.equal(stored.embeddings.corrected[place], one.corrected[0])
            as_queries = self.store.query_embeddings(name)
            for record in stored.support:
                itself = embedded(seed_of(record.sha256), fingerprint).corrected[0]
                assert torch.equal(as_queries[record.id], itself)

    def teardown(self) -> None:
        if hasattr(self, "engine"):
            self.engine.dispose()
            self.database.__exit__(None, None, None)


@pytest.mark.parametrize("kind", KINDS)
def test_moves_between_recipes_in_any_order(kind: str) -> None:
    Moving.kind = kind
    run_state_machine_as_test(
        Moving,
        settings=settings(
            max_examples=8 if kind == "sqlite" else 3,
            stateful_step_count=25,
            deadline=None,
            derandomize=True,
        ),
    )


def test_embeddings_of_two_recipes_are_not_written_into_one_classifier(engine: Engine) -> None:
    store = opened(engine)
    create(store, "a", "ant")
    with pytest.raises(ValueError, match="never meet"):
        write(store, "a", added=(given(1, NEW, 1),))
    assert loaded(store, "a").support == []


def test_another_process_takes_over_only_from_one_that_is_gone(engine: Engine) -> None:
    create(opened(engine), "a", "ant")
    moves = RecipeMoves(engine, OWN)
    assert moves.claim("one") is None
    moves.begin(OLD, NEW)
    assert moves.claim("one") is not None
    assert moves.claim("two") is None
    assert moves.claim("one") is not None
    moves.let_go("two")
    assert moves.claim("two") is None
    moves.let_go("one")
    assert moves.claim("two") is not None
    moves.note("a reason", failed=True)
    assert moves.claim("two") is None
    moves.begin(OLD, NEW)
    assert moves.claim("two") is not None
