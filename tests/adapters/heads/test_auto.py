"""``auto``: which head is chosen, and that it answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import pytest
import torch

from adapters.change import Change
from adapters.embeddings import ClassSet, LabelledEmbeddings
from adapters.heads import HEADS, Tuning
from adapters.heads.auto import MARGIN, Auto
from adapters.heads.cached import CachedHead
from adapters.heads.gda import GDAPlusPlus
from adapters.heads.tip_adapter import TipAdapterPlusPlus, VoteParameters
from adapters.rest import Rest, no_rest
from tests.adapters.synthetic import TUNINGS, make_task


def promising(loss: float | None) -> type[CachedHead[Any]]:
    """A head that says of every support set that it has this loss on it."""

    class Promising(TipAdapterPlusPlus):
        def tune(
            self, classes: ClassSet, images: LabelledEmbeddings, *, rest: Rest = no_rest
        ) -> Tuning:
            return Tuning(VoteParameters(alpha=1.0, beta=1.0), votes=loss is not None, loss=loss)

    return Promising


def auto_of(**losses: float | None) -> type[Auto]:
    class OfThese(Auto):
        candidates: ClassVar[Mapping[str, type[CachedHead[Any]]]] = {
            name: promising(loss) for name, loss in losses.items()
        }
        without_votes: ClassVar[str] = "b"

    return OfThese


@pytest.mark.parametrize(
    ("losses", "chosen"),
    [
        ({"a": 0.5, "b": 0.4, "c": 0.6}, "b"),
        ({"a": 0.3, "b": 0.4}, "a"),
        ({"a": 0.4, "b": 0.4}, "a"),
        ({"a": 0.4, "b": 0.4 - 0.9 * MARGIN}, "a"),
        ({"a": 0.4, "b": 0.4 - 1.1 * MARGIN}, "b"),
        ({"a": None, "b": None}, "b"),
    ],
)
def test_the_lowest_loss_wins_and_the_first_unless_another_is_clearly_better(
    losses: dict[str, float | None], chosen: str
) -> None:
    task = make_task([3, 3])
    head = auto_of(**losses)().fit(task.classes, task.support)
    assert head.tuning_.head == chosen
    assert type(head.chosen_) is head.candidates[chosen]


@pytest.mark.parametrize("seed", range(6))
def test_the_tuning_is_that_of_the_candidate_with_the_lower_loss(seed: int) -> None:
    task = make_task([4, 6, 5, 2], seed, spread=1.5)
    tuning = Auto().tune(task.classes, task.support.labelled)
    losses = {}
    for name, candidate in Auto.candidates.items():
        own = candidate().tune(task.classes, task.support.labelled)
        assert own.loss is not None
        losses[name] = own.loss
        if name == tuning.head:
            assert tuning.parameters == own.parameters
            assert tuning.temperature == own.temperature
            assert tuning.accuracy == own.accuracy
    assert losses[tuning.head] == tuning.loss
    first = next(iter(losses))
    others = min(loss for name, loss in losses.items() if name != first)
    assert (tuning.head == first) == (losses[first] <= others + MARGIN)


def test_either_candidate_is_chosen_somewhere() -> None:
    tasks = [make_task([n] * 4, seed, spread=1.5) for seed in range(5) for n in (2, 12)]
    chosen = {Auto().tune(task.classes, task.support.labelled).head for task in tasks}
    assert chosen == set(Auto.candidates)


def test_candidates_are_the_heads_of_that_name() -> None:
    assert all(HEADS[name] is head for name, head in Auto.candidates.items())


@pytest.mark.parametrize("name", ["auto, by votes", "auto, by Gaussians"])
def test_answers_and_left_out_are_those_of_the_chosen_head(name: str) -> None:
    task = make_task([3, 0, 4, 1])
    _, tuning = TUNINGS[name]
    auto = Auto(50.0).fit(task.classes, task.support, tuning)
    alone = HEADS[tuning.head](50.0).fit(task.classes, task.support, tuning)
    ours, theirs = auto.score(task.queries, 2), alone.score(task.queries, 2)
    assert torch.equal(ours.logits, theirs.logits)
    assert torch.equal(ours.matches.ids, theirs.matches.ids)
    assert torch.equal(
        auto.left_out(task.classes, task.support.labelled, tuning),
        alone.left_out(task.classes, task.support.labelled, tuning),
    )


def test_one_image_a_class_is_answered_with_the_defaults_of_tip_adapter() -> None:
    task = make_task([1, 1, 1])
    tuning = Auto().tune(task.classes, task.support.labelled)
    defaults = TipAdapterPlusPlus().tune(task.classes, task.support.labelled)
    assert tuning.head == "tip-adapter++"
    assert tuning.votes == 0
    assert (tuning.parameters, tuning.temperature) == (defaults.parameters, defaults.temperature)


def test_an_update_can_switch_the_head_while_images_change() -> None:
    task = make_task([3, 2, 4])
    votes, gaussians = TUNINGS["auto, by votes"][1], TUNINGS["auto, by Gaussians"][1]
    auto = Auto().fit(task.classes, task.support, votes)
    added, removed = task.draw([1, 2, 0], 1, 1000), task.support.ids[:3]
    left = task.support.without(removed).with_added(added)
    auto.update(Change(tuning=gaussians, added=added, removed=removed))
    assert isinstance(auto.chosen_, GDAPlusPlus)
    expected = Auto().fit(task.classes, left, gaussians).score(task.queries).logits
    torch.testing.assert_close(auto.score(task.queries).logits, expected)
    auto.update(Change(tuning=votes))
    assert isinstance(auto.chosen_, TipAdapterPlusPlus)
    expected = Auto().fit(task.classes, left, votes).score(task.queries).logits
    torch.testing.assert_close(auto.score(task.queries).logits, expected)


def test_an_update_that_keeps_the_head_keeps_its_cache() -> None:
    task = make_task([3, 2, 4])
    auto = Auto().fit(task.classes, task.support, TUNINGS["auto, by votes"][1])
    chosen = auto.chosen_
    assert isinstance(chosen, TipAdapterPlusPlus)
    cache = chosen.cache_
    auto.update(Change(added=task.draw([1, 0, 0], 1, 1000)))
    assert type(auto.chosen_) is type(chosen)
    assert auto.chosen_.cache_ is cache
    assert len(cache) == 10
