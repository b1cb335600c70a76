"""Unknown images where support images are averages of views, and queries are not."""

from __future__ import annotations

from dataclasses import replace

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from torch import Tensor
from torch.nn.functional import normalize

from adapters.classifier import FewShotClassifier
from adapters.embeddings import ClassSet, ImageEmbeddings, SupportSet
from adapters.negatives import Margin
from adapters.out_of_distribution import RelativeMahalanobis
from tests.adapters.synthetic import generator, make_task, noise
from tests.adapters.test_negatives import negatives
from tests.adapters.test_out_of_distribution import images, reference_pair

RATE = 0.1


def views(task_seed: int, shots: int, n: int) -> tuple[SupportSet, ImageEmbeddings, ClassSet]:
    """Support images as averages of n views, single views of other images, and their classes."""
    rng = generator(task_seed)
    centres = torch.randn(5, 64, generator=rng)

    def drawn(each: int, views: int) -> tuple[Tensor, Tensor]:
        labels = torch.arange(5).repeat_interleave(each)
        seen = centres[labels] + 0.7 * torch.randn(len(labels), 64, generator=rng)
        of = seen + 0.7 * torch.randn(views, len(labels), 64, generator=rng)
        of = normalize(of, dim=2)
        return normalize(of.mean(dim=0), dim=1), of[0]

    mean, one = drawn(shots, n)
    support = SupportSet(
        torch.arange(len(mean)),
        torch.arange(5).repeat_interleave(shots),
        ImageEmbeddings(mean, mean, one),
    )
    _, queries = drawn(40, 1)
    return support, ImageEmbeddings(queries, queries), ClassSet(torch.arange(5), None)


def rejected(support: SupportSet, queries: ImageEmbeddings, classes: ClassSet) -> float:
    classifier = FewShotClassifier("tip-adapter", false_rejection_rate=RATE)
    return float((~classifier.fit(classes, support).answer(queries).known).float().mean())


@pytest.mark.parametrize("shots", [4, 16])
def test_averages_of_views_reject_as_many_single_views_as_asked(shots: int) -> None:
    mended, as_they_are = [], []
    for seed in range(12):
        support, queries, classes = views(seed, shots, 8)
        mended.append(rejected(support, queries, classes))
        plain = replace(support, embeddings=replace(support.embeddings, as_queries=None))
        as_they_are.append(rejected(plain, queries, classes))
    assert sum(mended) / 12 == pytest.approx(RATE, abs=0.03)
    assert sum(as_they_are) / 12 > 2 * RATE


@settings(max_examples=12, deadline=None)
@given(
    shots=st.lists(st.integers(1, 9), min_size=1, max_size=4).filter(lambda s: max(s) > 1),
    seed=st.integers(0, 1000),
)
def test_an_image_left_out_is_scored_as_a_query(shots: list[int], seed: int) -> None:
    x, columns = images(shots, seed)
    queries = noise(len(x), seed + 1, torch.float64).corrected  # of other directions, too
    classes, background = reference_pair(x, columns)
    expected = torch.stack(
        [
            background.distances(queries[i], background.kept(i))[0]
            - classes.distances(queries[i], classes.kept(i)).min()
            for i in range(len(x))
        ]
    )
    score = RelativeMahalanobis().fit(x, columns, len(shots))
    torch.testing.assert_close(score.left_out(None, queries), expected, rtol=1e-8, atol=1e-8)
    some = torch.arange(0, len(x), 2)
    found = score.left_out(some, queries[some])
    torch.testing.assert_close(found, expected[some], rtol=1e-8, atol=1e-8)


def test_a_margin_left_out_is_that_of_the_image_as_a_query() -> None:
    task = make_task([3, 4, 2], dtype=torch.float64)
    others = negatives(noise(3, 1, torch.float64))
    asked = noise(9, 2, torch.float64).corrected
    averages = replace(task.support.embeddings, as_queries=asked)
    held = replace(task.support, embeddings=averages).labelled
    margin = Margin.of(held, others)
    assert margin is not None
    found = margin.left_out(held, torch.arange(9))
    for i in range(9):
        rest = Margin.of(held[torch.arange(9) != i], others)
        assert rest is not None
        expected = rest(asked[i : i + 1])[0]
        torch.testing.assert_close(found[i], expected, rtol=1e-6, atol=1e-6)


def test_nothing_is_told_where_it_is_not_known_what_images_are_as_queries() -> None:
    support, queries, classes = views(0, 4, 8)
    unknown = replace(support, embeddings=support.embeddings.as_averages())
    classifier = FewShotClassifier("tip-adapter", false_rejection_rate=0.5)
    for them in (None, negatives(queries[:3])):
        answers = classifier.fit(classes, unknown, negatives=them).answer(queries)
        assert classifier.tuning.left_out_scores is None
        assert classifier.tuning.rejection_threshold is None
        assert answers.p_values is None
        assert bool(answers.known.all())


def test_images_of_which_it_is_known_are_counted_alone() -> None:
    support, queries, classes = views(1, 6, 8)
    whole = support.embeddings.as_queries
    assert whole is not None
    partly = whole.clone()
    partly[::3] = torch.nan
    known = replace(support, embeddings=replace(support.embeddings, as_queries=partly))
    classifier = FewShotClassifier("tip-adapter").fit(classes, known)
    assert classifier.tuning.left_out_scores is not None
    assert classifier.tuning.left_out_scores.count == 20
    assert classifier.answer(queries).p_values is not None


def test_a_tuning_later_is_that_of_a_fit_and_nothing_is_kept() -> None:
    support, queries, classes = views(2, 5, 4)
    classifier = FewShotClassifier("gda++").fit(classes, support)
    expected = classifier.tuning
    assert classifier.support.embeddings.as_queries is None
    later = FewShotClassifier("gda++").fit(
        classes, replace(support, embeddings=support.embeddings.as_averages())
    )
    assert later.tuning != expected
    asked = support.embeddings.as_queries
    later.apply(later.retuned(classes, later.held, as_queries=asked))
    assert later.tuning == expected
    assert later.support.embeddings.as_queries is None
    assert later.nbytes == classifier.nbytes
    assert torch.equal(later.answer(queries).known, classifier.answer(queries).known)
