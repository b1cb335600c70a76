"""Parts of a support set name what they leave out: which parts, and what is counted."""

from __future__ import annotations

from typing import Self

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from adapters.classifier import Answers, FewShotClassifier
from adapters.embeddings import ClassSet, ImageEmbeddings, SupportSet
from adapters.heads import Tuning
from adapters.held_out_votes import HeldOutVotes
from tests.adapters.synthetic import Task, make_task


class Recorder(FewShotClassifier):
    """Remembers who answered for whom, and what came of it."""

    def __init__(self, seen: list[tuple[Tensor, Tensor, Tensor]]) -> None:
        super().__init__("tip-adapter++", 20.0)
        self.seen = seen

    def fit(
        self,
        classes: ClassSet,
        support: SupportSet,
        tuning: Tuning | None = None,
        *,
        negatives: SupportSet | None = None,
    ) -> Self:
        self.kept = support.embeddings.corrected
        return super().fit(classes, support, tuning)

    def answer(self, queries: ImageEmbeddings, n_matches: int | None = None) -> Answers:
        found = super().answer(queries, n_matches)
        self.seen.append((self.kept, queries.corrected, found.probabilities.argmax(dim=1)))
        return found


def voted(task: Task) -> tuple[HeldOutVotes, list[tuple[Tensor, Tensor, Tensor]]]:
    seen: list[tuple[Tensor, Tensor, Tensor]] = []
    right = torch.ones(len(task.support), dtype=torch.bool)
    votes = HeldOutVotes.of(lambda: Recorder(seen), task.classes, task.support.labelled, right)
    return votes, seen


def rows_of(some: Tensor, task: Task) -> list[int]:
    every = task.support.embeddings.corrected
    return [int((every == one).all(dim=1).nonzero()) for one in some]


@settings(max_examples=15, deadline=None)
@given(shots=st.lists(st.integers(1, 9), min_size=2, max_size=4))
def test_votes_are_those_of_loops(shots: list[int]) -> None:
    task = make_task(shots, seed=len(shots))
    votes, seen = voted(task)
    columns = votes.columns
    assert votes.shots[0].tolist() == shots
    assert (votes.right[0] == 1).all()
    assert len(seen) == 4 * (len(votes.shots) - 1)
    for level, size in enumerate(votes.shots[1:], 1):
        hits, times = np.zeros(len(columns)), np.zeros(len(columns))
        for kept, asked, named in seen[4 * (level - 1) : 4 * level]:
            inside, outside = rows_of(kept, task), rows_of(asked, task)
            assert sorted([*inside, *outside]) == list(range(len(columns)))
            assert np.bincount(columns[inside], minlength=len(shots)).tolist() == size.tolist()
            hits[outside] += named.numpy() == columns[outside]
            times[outside] += 1
        known = times > 0
        assert votes.right[level][known] == pytest.approx(hits[known] / times[known])
    assert (votes.voters == (np.array(shots)[columns] > 1)).all()
    assert np.isfinite(votes.right[:, votes.voters]).all()


@given(shots=st.lists(st.integers(1, 40), min_size=2, max_size=5))
@settings(max_examples=20, deadline=None)
def test_each_level_has_about_half_of_the_one_before(shots: list[int]) -> None:
    class Guess(Recorder):
        def fit(
            self,
            classes: ClassSet,
            support: SupportSet,
            tuning: Tuning | None = None,
            *,
            negatives: SupportSet | None = None,
        ) -> Self:
            return FewShotClassifier.fit(self, classes, support, Tuning())

        def tune(self, *_: object, **__: object) -> Tuning:
            return Tuning()

    task = make_task(shots, spread=0.1)
    right = torch.ones(len(task.support), dtype=torch.bool)

    def fresh() -> FewShotClassifier:
        made = Guess([])
        made.method = "zero-shot"
        made.kept = torch.empty(0)
        return made

    votes = HeldOutVotes.of(fresh, task.classes, task.support.labelled, right)
    for before, after in zip(votes.shots, votes.shots[1:], strict=False):
        assert (after >= 1).all()
        assert (after <= before).all()
        assert (np.abs(after - before / 2) <= 1).all()
    if max(shots) > 1:
        assert votes.shots[-1].max() == 1
        assert (votes.shots[1][np.array(shots) > 1] < np.array(shots)[np.array(shots) > 1]).all()


def test_every_image_of_equal_classes_is_left_out_at_every_level() -> None:
    task = make_task([8, 8, 8])
    _, seen = voted(task)
    for level in range(3):
        asked = {
            row for _, some, _ in seen[4 * level : 4 * level + 4] for row in rows_of(some, task)
        }
        assert asked == set(range(24))
    # Of one order the parts do not overlap: two halves, four quarters.
    for draws in (seen[0:2], seen[2:4], seen[4:8]):
        kept = [row for some, _, _ in draws for row in rows_of(some, task)]
        assert sorted(kept) == list(range(24))


def test_votes_are_the_same_each_time() -> None:
    task = make_task([5, 3, 7], spread=2.0)
    first, _ = voted(task)
    second, _ = voted(task)
    assert (first.right == second.right).all()


def test_work_can_be_ended_by_rest() -> None:
    class Ended(Exception):
        pass

    def end() -> None:
        raise Ended

    task = make_task([4, 4])
    right = torch.ones(8, dtype=torch.bool)

    def fresh() -> FewShotClassifier:
        return FewShotClassifier("auto", 20.0)

    with pytest.raises(Ended):
        HeldOutVotes.of(fresh, task.classes, task.support.labelled, right, rest=end)


def test_single_images_have_no_votes() -> None:
    task = make_task([1, 1, 1])
    votes, seen = voted(task)
    assert not votes.voters.any()
    assert len(votes.right) == 1
    assert seen == []
