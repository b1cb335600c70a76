"""Explicit negatives: what resembles them is unknown, and nothing else changes."""

from __future__ import annotations

from dataclasses import replace

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from torch.nn.functional import normalize

from adapters.change import Change
from adapters.classifier import FewShotClassifier
from adapters.embeddings import ImageEmbeddings, LabelledEmbeddings, SupportSet
from adapters.negatives import Margin
from tests.adapters.synthetic import CORRECTED_WIDTH, Task, generator, make_task, noise
from tests.adapters.test_classifier import assert_same_answers, fitted

NEGATIVES = 99


def negatives(embeddings: ImageEmbeddings, first_id: int = 10_000) -> SupportSet:
    n = len(embeddings)
    return SupportSet(torch.arange(first_id, first_id + n), torch.full((n,), NEGATIVES), embeddings)


def near_one_place(n: int, seed: int = 5) -> ImageEmbeddings:
    """Images of something that is no class."""
    centre = noise(1, 77)
    spread = noise(n, seed)
    return ImageEmbeddings(
        normalize(centre.frozen + 0.5 * spread.frozen, dim=1),
        normalize(centre.corrected + 0.5 * spread.corrected, dim=1),
    )


def with_negatives(task: Task, others: SupportSet, method: str = "auto") -> FewShotClassifier:
    classifier = FewShotClassifier(method, false_rejection_rate=0.1, coverage=0.8)
    return classifier.fit(task.classes, task.support, negatives=others)


@settings(max_examples=20, deadline=None)
@given(
    shots=st.lists(st.integers(2, 6), min_size=1, max_size=4),
    k=st.integers(1, 5),
    seed=st.integers(0, 1000),
)
def test_a_left_out_margin_is_that_of_the_image_with_its_class_without_it(
    shots: list[int], k: int, seed: int
) -> None:
    task = make_task(shots, seed, dtype=torch.float64)
    images, others = task.support.labelled, negatives(noise(k, seed + 1, torch.float64))
    margin = Margin.of(images, others)
    assert margin is not None
    rows = torch.arange(len(images))
    found = margin.left_out(images, rows)
    for i in rows.tolist():
        rest = Margin.of(images[rows != i], others)
        assert rest is not None
        expected = rest(images.embeddings.corrected[i : i + 1])[0]
        torch.testing.assert_close(found[i], expected, rtol=1e-6, atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(
    before=st.lists(st.integers(0, 3), min_size=3, max_size=3).filter(any),
    added=st.lists(st.integers(0, 3), min_size=3, max_size=3),
    n_removed=st.integers(0, 3),
    seed=st.integers(0, 1000),
)
def test_a_margin_follows_images_that_come_and_go(
    before: list[int], added: list[int], n_removed: int, seed: int
) -> None:
    old, new = (
        make_task(shots, seed + i).support.labelled for i, shots in enumerate((before, added))
    )
    margin = Margin.of(old, negatives(noise(2, seed)))
    assert margin is not None
    gone = torch.randperm(len(old), generator=generator(seed))[:n_removed]
    kept = torch.ones(len(old), dtype=torch.bool)
    kept[gone] = False
    after = old[kept].with_added(new) if len(new) else old[kept]
    expected = Margin.of(after, negatives(noise(2, seed)))
    moved = margin.moved(old[gone], new)
    if expected is None:
        assert not len(moved.only(after.labels).labels)
        return
    moved = moved.only(after.labels)
    assert torch.equal(moved.labels, expected.labels)
    torch.testing.assert_close(moved.sums, expected.sums, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("method", ["auto", "tip-adapter++", "zero-shot", "gda"])
def test_negatives_change_no_probability_and_are_no_class(method: str) -> None:
    task = make_task([4, 3, 0, 5])
    plain = fitted(task, method)
    others = negatives(near_one_place(6))
    answers, expected = (
        one.answer(task.queries, 0) for one in (with_negatives(task, others, method), plain)
    )
    torch.testing.assert_close(answers.probabilities, expected.probabilities)
    assert answers.prediction_sets is not None
    assert expected.prediction_sets is not None
    assert torch.equal(answers.prediction_sets, expected.prediction_sets)
    assert NEGATIVES not in with_negatives(task, others, method).classes.ids


def test_what_resembles_negatives_is_unknown_and_the_classes_stay_known() -> None:
    rejected = {True: 0, False: 0}
    strange = {True: 0, False: 0}
    for seed in range(20):
        task = make_task([5, 5, 5, 5], seed, queries=5)
        queries = near_one_place(20, seed + 100)
        for has in (True, False):
            others = negatives(near_one_place(8 if has else 0))
            classifier = with_negatives(task, others)
            rejected[has] += int((~classifier.answer(task.queries).known).sum())
            strange[has] += int((~classifier.answer(queries).known).sum())
    assert strange[True] > strange[False] + 20  # of 400
    assert rejected[True] < rejected[False] + 20  # of 400


def test_one_image_a_class_is_compared_with_the_negatives() -> None:
    task = make_task([1, 1, 1], queries=3)
    classifier = with_negatives(task, negatives(near_one_place(4)))
    strangers = classifier.answer(near_one_place(10, 3))
    assert strangers.p_values is None
    assert not bool(strangers.known.any())
    assert bool(classifier.answer(task.support.embeddings).known.all())
    never = FewShotClassifier(false_rejection_rate=0.0)
    never.fit(task.classes, task.support, negatives=negatives(near_one_place(4)))
    assert bool(never.answer(near_one_place(10, 3)).known.all())


def test_evidence_names_the_negatives_that_are_nearer() -> None:
    task = make_task([4, 4])
    others = negatives(near_one_place(3))
    classifier = with_negatives(task, others)
    matches = classifier.answer(others.embeddings, 4).scores.matches
    assert matches.ids[:, 0].tolist() == others.ids.tolist()
    assert matches.labels[:, 0].tolist() == [NEGATIVES] * 3
    assert bool((matches.similarities.diff(dim=1) <= 0).all())
    own = classifier.answer(task.support.embeddings, 1).scores.matches
    assert torch.equal(own.ids[:, 0], task.support.ids)


@pytest.mark.parametrize("n", [3, 30])  # fitted anew, and followed
def test_changes_of_negatives_and_of_images_give_what_fitting_gives(n: int) -> None:
    task, more = make_task([n, n, n]), make_task([2, 0, 1], seed=4).support
    first, second = negatives(near_one_place(5)), negatives(near_one_place(7), 20_000)
    classifier = with_negatives(task, first)
    added = replace(more, ids=more.ids + 5_000)
    for change in (
        Change(added=added, negatives=first.with_added(second)),
        Change(removed=task.support.ids[:4]),
        Change(negatives=second),
    ):
        classifier.update(change)
    tuning = classifier.tuning
    everything = task.support.with_added(added).without(task.support.ids[:4])
    expected = FewShotClassifier("auto", false_rejection_rate=0.1, coverage=0.8)
    expected.fit(task.classes, everything, tuning, negatives=second)
    queries = ImageEmbeddings.concatenate([task.queries, near_one_place(10, 9)])
    ours, theirs = classifier.answer(queries, 3), expected.answer(queries, 3)
    if n == 3:
        assert_same_answers(ours, theirs)
    assert torch.equal(ours.scores.matches.ids, theirs.scores.matches.ids)
    without = replace_none(classifier)
    assert without.negatives is None
    assert without.answer(queries).ood_scores is not None


def replace_none(classifier: FewShotClassifier) -> FewShotClassifier:
    classifier.update(Change(negatives=negatives(noise(0, 0))))
    return classifier


def test_negatives_that_are_tuned_later_do_not_count_before() -> None:
    task = make_task([30, 30, 30])
    plain = fitted(task)
    before = plain.answer(task.queries)
    others = negatives(near_one_place(5))
    plain.update(Change(negatives=others))
    assert plain.tuning.negatives_weight is None
    assert_same_answers(plain.answer(task.queries, 0), before)
    plain.apply(plain.retuned(task.classes, plain.held, negatives=plain.negatives))
    assert plain.tuning.negatives_weight is not None
    assert_same_answers(
        plain.answer(task.queries), with_negatives(task, others).answer(task.queries)
    )


def test_negatives_that_are_all_alike_give_numbers() -> None:
    task = make_task([2, 2])
    one = noise(1, 3)
    others = negatives(ImageEmbeddings(one.frozen.repeat(4, 1), one.corrected.repeat(4, 1)))
    answers = with_negatives(task, others).answer(task.queries)
    assert answers.p_values is not None
    assert bool(answers.p_values.isfinite().all())
    assert others.embeddings.corrected.shape[1] == CORRECTED_WIDTH
    assert Margin.of(LabelledEmbeddings(torch.empty(0).long(), noise(0, 0)), others) is None
