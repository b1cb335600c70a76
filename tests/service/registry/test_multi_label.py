"""Labels gained and lost in any order: an image has those of the classes that it is in."""

from __future__ import annotations

from dataclasses import replace

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Engine

from adapters.backbones import Backbone
from adapters.embeddings import ImageEmbeddings
from service.classifier_settings import ClassifierSettings
from service.name_validation import NOT_THESE
from service.problems import InvalidSettings
from service.registry.registry import Registry
from service.storage.engine import open_database
from tests.service.databases import KINDS, new_database
from tests.service.registries import embeddings, image, plain_store, registry

ROOM = 10**9
LABELS = ["ant", "bee", "cat", NOT_THESE]
SETTINGS = ClassifierSettings(multi_label=True, templates=("{}",))


class LabelsOfImages(RuleBasedStateMachine):
    """The model: the classes, and by label and seed of an image its id there."""

    kind: str
    backbone: Backbone

    @initialize(meaning=st.booleans())
    def begin(self, meaning: bool) -> None:
        self.database = new_database(self.kind)
        self.engine = open_database(self.database.__enter__())
        self.settings = SETTINGS.model_copy(update={"names_carry_meaning": meaning})
        self.labels: list[str] = []
        self.images: dict[tuple[str, int], str] = {}
        self.registry = self.again()
        self.registry.put("a", self.settings, [])

    def again(self) -> Registry:
        return registry(plain_store(self.engine, self.backbone), self.backbone, ROOM)

    @rule(
        seed=st.integers(0, 7),
        labels=st.lists(st.sampled_from(LABELS), min_size=1, max_size=3),
        rounding=st.booleans(),
    )
    def gain(self, seed: int, labels: list[str], rounding: bool) -> None:
        """Registered again, and embedded again, which differs in the last bit."""
        one = image(seed)
        off = 1 + 1e-7 if rounding else 1.0
        rows = one.embeddings
        one = replace(one, embeddings=ImageEmbeddings(rows.frozen * off, rows.corrected * off))
        done = self.registry.add_images("a", [(label, one) for label in labels])
        for label, answer in zip(labels, done, strict=True):
            assert self.images.setdefault((label, seed), answer.record.public_id) == (
                answer.record.public_id
            )
            if label not in self.labels:
                self.labels.append(label)

    @precondition(lambda self: self.images)
    @rule(which=st.integers(0, 10**6))
    def lose(self, which: int) -> None:
        label, seed = sorted(self.images)[which % len(self.images)]
        self.registry.delete_image("a", label, self.images.pop((label, seed)))

    @precondition(lambda self: self.labels)
    @rule(which=st.integers(0, 10**6))
    def lose_class(self, which: int) -> None:
        label = self.labels.pop(which % len(self.labels))
        self.registry.delete_class("a", label)
        self.images = {at: i for at, i in self.images.items() if at[0] != label}

    @precondition(lambda self: self.images)
    @rule(which=st.integers(0, 10**6), to=st.sampled_from(LABELS))
    def move(self, which: int, to: str) -> None:
        label, seed = sorted(self.images)[which % len(self.images)]
        public_id = self.images[label, seed]
        self.registry.reshaping.move_images("a", [public_id], to) if to in self.labels else None
        if to in self.labels and to != label:
            del self.images[label, seed]
            self.images.setdefault((to, seed), public_id)

    @rule()
    def read_anew(self) -> None:
        self.registry = self.again()

    @rule()
    def look(self) -> None:
        live = self.registry.live("a")
        records, images = live.records()
        label_of = {record.id: record.label for record in records.values()}
        assert {(label_of[r.class_id], r.public_id) for r in images.values()} == {
            (label, public_id) for (label, _), public_id in self.images.items()
        }
        left, labels = live.left_out_images()
        told = sorted(label for label in self.labels if label != NOT_THESE)
        shown = {seed for label, seed in self.images if label != NOT_THESE}
        if self.settings.names_carry_meaning:
            assert sorted(labels) == told
        assert left.n_images == len(shown)  # each once, however many labels it has
        assert left.n_negatives == len(
            {seed for label, seed in self.images if label == NOT_THESE} - shown
        )
        assert left.n_labels == sum(label != NOT_THESE for label, _ in self.images)
        if not labels:
            return
        [answer] = live.predict(embeddings(999), len(labels), 50)
        assert answer.labels is not None
        given = [one.label for one in answer.top_k if one.probability >= one.threshold]  # type: ignore[attr-defined]
        assert answer.labels == given
        assert answer.known == bool(given)
        assert (answer.p_value, answer.prediction_set) == (None, None)

    def teardown(self) -> None:
        if hasattr(self, "engine"):
            self.look()
            self.engine.dispose()
            self.database.__exit__(None, None, None)


@pytest.mark.parametrize("kind", KINDS)
def test_an_image_has_the_labels_of_its_classes(kind: str, backbone: Backbone) -> None:
    machine = type("Machine", (LabelsOfImages,), {"kind": kind, "backbone": backbone})
    run_state_machine_as_test(
        machine, settings=settings(max_examples=5, stateful_step_count=12, deadline=None)
    )


def test_settings_that_have_no_meaning_with_it_are_refused(
    engine: Engine, backbone: Backbone
) -> None:
    made = registry(plain_store(engine, backbone), backbone, ROOM)
    for other, told in (({"method": "gda++"}, "method"), ({"coverage": 0.9}, "coverage")):
        with pytest.raises(InvalidSettings) as refused:
            made.put("a", SETTINGS.model_copy(update=other), [])
        assert told in (refused.value.detail or "")
    assert plain_store(engine, backbone).find("a") is None


def test_it_can_be_switched_on_and_off_where_no_image_would_lose_a_label(
    engine: Engine, backbone: Backbone
) -> None:
    made = registry(plain_store(engine, backbone), backbone, ROOM)
    single = SETTINGS.model_copy(update={"multi_label": False})
    made.put("a", single, ["ant", "bee"])
    made.add_images("a", [("ant", image(1)), ("ant", image(2)), ("bee", image(1))])
    made.put("a", SETTINGS, [])
    assert made.live("a").left_out_images()[0].n_images == 2
    with pytest.raises(InvalidSettings) as refused:
        made.put("a", single, [])
    assert "1 images are in several classes" in (refused.value.detail or "")
    assert made.live("a").settings.multi_label
    [answer] = made.add_images("a", [("bee", image(1))])
    made.delete_image("a", "bee", answer.record.public_id)
    made.put("a", single, [])
    [plain] = made.live("a").predict(embeddings(5), 2, 0)
    assert plain.labels is None
    assert sum(one.probability for one in plain.top_k) == pytest.approx(1)


def test_it_is_read_anew_as_it_was(engine: Engine, backbone: Backbone) -> None:
    made = registry(plain_store(engine, backbone), backbone, ROOM)
    made.put("a", SETTINGS, [])
    pairs = [(label, image(i)) for i in range(6) for label in ("ant", "bee", "cat")[: 1 + i % 3]]
    made.add_images("a", pairs)
    again = registry(plain_store(engine, backbone), backbone, ROOM)
    for seed in range(900, 904):
        [ours] = made.live("a").predict(embeddings(seed), 3, 0)
        [theirs] = again.live("a").predict(embeddings(seed), 3, 0)
        assert ours.labels == theirs.labels
        for one, other in zip(ours.top_k, theirs.top_k, strict=True):
            assert one.probability == pytest.approx(other.probability, abs=1e-5)
    made.reshaping.copy("a", "b")
    [copied] = made.live("b").predict(embeddings(900), 3, 0)
    [own] = made.live("a").predict(embeddings(900), 3, 0)
    assert copied.labels == own.labels
    assert torch.tensor([one.probability for one in copied.top_k]).isfinite().all()
