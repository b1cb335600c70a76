"""Whatever changes came, in whichever order: once tuned, all is as if registered at once."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from adapters.backbones import Backbone
from adapters.rest import no_rest
from service.classifier_settings import ClassifierSettings
from service.name_validation import NOT_THESE
from service.registry.registry import Registry
from service.storage.engine import open_database
from tests.service.databases import KINDS, new_database
from tests.service.registries import embeddings, image, plain_store, registry

ROOM = 10**9
LABELS = ["ant", "bee", "cat", "dog", "eel", NOT_THESE]
METHODS = ["auto", "tip-adapter++", "tip-x", "ape++", "gda++", "zero-shot"]


class AnySequence(RuleBasedStateMachine):
    """Sizes go to and fro over the one up to which changes are tuned at once."""

    kind: str
    backbone: Backbone

    @initialize(
        method=st.sampled_from(METHODS), meaning=st.booleans(), n=st.sampled_from([0, 60, 64, 80])
    )
    def begin(self, method: str, meaning: bool, n: int) -> None:
        self.database = new_database(self.kind)
        self.engine = open_database(self.database.__enter__())
        self.settings = ClassifierSettings(
            method=method,
            names_carry_meaning=meaning or method == "zero-shot",
            coverage=0.8,
            templates=("{}",),
        )
        self.seed = 0
        #: Labels in their order, and (label, seed, public id) of images in theirs.
        self.labels: list[str] = []
        self.images: list[tuple[str, int, str]] = []
        self.registry = self.fresh()
        if n:
            self.add(LABELS[:3], n)

    def fresh(self) -> Registry:
        made = registry(plain_store(self.engine, self.backbone), self.backbone, ROOM)
        made.put("a" if not hasattr(self, "registry") else "b", self.settings, [])
        return made

    @rule(labels=st.lists(st.sampled_from(LABELS), min_size=1, max_size=3), n=st.integers(1, 12))
    def add(self, labels: list[str], n: int) -> None:
        new = [(labels[i % len(labels)], self.seed + i) for i in range(n)]
        self.seed += n
        registered = self.registry.add_images("a", [(label, image(seed)) for label, seed in new])
        self.images += [
            (label, seed, one.record.public_id)
            for (label, seed), one in zip(new, registered, strict=True)
        ]
        self.labels += [label for label in dict.fromkeys(labels[:n]) if label not in self.labels]

    @precondition(lambda self: self.images)
    @rule(which=st.integers(0, 10**6))
    def remove(self, which: int) -> None:
        label, _, public_id = self.images.pop(which % len(self.images))
        self.registry.delete_image("a", label, public_id)

    @rule(label=st.sampled_from(LABELS))
    def add_class(self, label: str) -> None:
        assert self.registry.put_class("a", label) == (label not in self.labels)
        if label not in self.labels:
            self.labels.append(label)

    @precondition(lambda self: self.labels)
    @rule(which=st.integers(0, 10**6))
    def remove_class(self, which: int) -> None:
        label = self.labels.pop(which % len(self.labels))
        self.registry.delete_class("a", label)
        self.images = [one for one in self.images if one[0] != label]

    @rule()
    def tune(self) -> None:
        while (name := self.registry.tunings.take(patience=0)) is not None:
            self.registry.tune(name, no_rest)
            self.registry.tunings.done(name, 0.0, for_nothing=False)
        live = self.registry.live("a")
        assert live.tuning_is_current

        at_once = self.fresh()
        at_once.put("b", self.settings, self.labels)
        if self.images:
            at_once.add_images("b", [(label, image(seed)) for label, seed, _ in self.images])
        expected = at_once.live("b")
        got, want = live.tuning.as_dict(), expected.tuning.as_dict()
        # Where logits of hundreds cancel, what is left is their rounding: 6e-5 from 512 on.
        assert got.pop("parameters") == pytest.approx(want.pop("parameters"), rel=1e-3, abs=5e-4)
        left_out, left_out_there = (one.pop("left_out_scores") or {} for one in (got, want))
        assert left_out.pop("scores", []) == pytest.approx(
            left_out_there.pop("scores", []), rel=1e-3, abs=1e-2
        )
        assert left_out.pop("ranks", None) == left_out_there.pop("ranks", None)
        assert left_out == pytest.approx(left_out_there, rel=1e-3, abs=1e-2)
        for name, value in want.items():
            # A cross-entropy of 1e-8 is the rounding of logits that a tiny temperature divides.
            rounding = 1e-7 if name == "loss" else None
            assert got[name] == (
                pytest.approx(value, rel=1e-3, abs=rounding) if isinstance(value, float) else value
            ), name
        assert NOT_THESE not in live._labels
        if live.basis().classes.ids.numel():
            queries = [embeddings(10**6 + i) for i in range(3)]
            for query in queries:
                [mine], [theirs] = (one.predict(query, 9, 5) for one in (live, expected))
                assert {one.label: one.probability for one in mine.top_k} == pytest.approx(
                    {one.label: one.probability for one in theirs.top_k}, abs=1e-4
                )
                assert [one.similarity for one in mine.evidence] == pytest.approx(
                    [one.similarity for one in theirs.evidence], abs=1e-5
                )
                assert mine.known == theirs.known
                assert (mine.p_value is None) == (theirs.p_value is None)
                assert set(mine.prediction_set or ()) == set(theirs.prediction_set or ())
        at_once.delete("b")

    def teardown(self) -> None:
        self.tune()
        self.engine.dispose()
        self.database.__exit__(None, None, None)


@pytest.mark.parametrize("kind", KINDS)
def test_any_sequence_of_changes_ends_as_if_registered_at_once(
    kind: str, backbone: Backbone
) -> None:
    AnySequence.kind, AnySequence.backbone = kind, backbone
    run_state_machine_as_test(
        AnySequence,
        settings=settings(
            max_examples=10 if kind == "sqlite" else 3, stateful_step_count=12, deadline=None
        ),
    )
