"""The relative Mahalanobis distance written out, and the threshold on it."""

from __future__ import annotations

import math

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from torch import Tensor

from adapters.out_of_distribution import (
    RIDGE,
    RelativeMahalanobis,
    comparable,
    degrees_of_freedom,
    lower_quantile,
    rejection_threshold,
)
from tests.adapters.synthetic import CORRECTED_WIDTH, generator, make_task, noise


def images(shots: list[int], seed: int = 0) -> tuple[Tensor, Tensor]:
    task = make_task(shots, seed, dtype=torch.float64)
    return task.support.embeddings.corrected, task.classes.columns(task.support.labels)


class Reference:
    """One covariance, explicit inverses, and the ridge of all images whoever is left out."""

    def __init__(self, x: Tensor, columns: Tensor) -> None:
        self.x, self.columns, d = x, columns, x.shape[1]
        self.n_classes = int(columns.max()) + 1
        scatter = self.scatter(torch.ones(len(x), dtype=torch.bool))
        if len(x) > self.n_classes:
            self.ridge = RIDGE * float(scatter.trace()) / (len(x) - 1)
        else:
            self.ridge = RIDGE * d
        self.spread = self.leave_one_out_spread()

    def scatter(self, rows: Tensor) -> Tensor:
        total = self.x.new_zeros(self.x.shape[1], self.x.shape[1])
        for c in range(self.n_classes):
            own = self.x[rows & (self.columns == c)]
            total += (own - own.mean(dim=0)).T @ (own - own.mean(dim=0))
        return total

    def raw(self, query: Tensor, rows: Tensor) -> Tensor:
        """Squared distances to the class means of some rows."""
        d = self.x.shape[1]
        p = d * torch.linalg.inv(self.scatter(rows) + self.ridge * torch.eye(d).double())
        means = [self.x[rows & (self.columns == c)].mean(dim=0) for c in range(self.n_classes)]
        return torch.stack([(query - mean) @ p @ (query - mean) for mean in means])

    def kept(self, i: int) -> Tensor:
        rows = torch.ones(len(self.x), dtype=torch.bool)
        rows[i] = bool((self.columns == self.columns[i]).sum() == 1)
        return rows

    def leave_one_out_spread(self) -> float:
        spreads = []
        for i, c in enumerate(self.columns.tolist()):
            others = int((self.columns == c).sum()) - 1
            if others:
                spreads.append(float(self.raw(self.x[i], self.kept(i))[c]) / (1 + 1 / others))
        return sum(spreads) / len(spreads) if spreads else 0.0

    def distances(self, query: Tensor, rows: Tensor | None = None) -> Tensor:
        """Less what the noise of the means adds to them."""
        rows = torch.ones(len(self.x), dtype=torch.bool) if rows is None else rows
        shots = torch.bincount(self.columns[rows], minlength=self.n_classes).double()
        return self.raw(query, rows) - self.spread / shots


def reference_pair(x: Tensor, columns: Tensor) -> tuple[Reference, Reference]:
    return Reference(x, columns), Reference(x, torch.zeros_like(columns))


# Fewer images than the 24 dimensions, and more.
each_size = pytest.mark.parametrize("shots", [[3, 5, 1, 4], [14, 9, 1, 10]], ids=["n<d", "n>d"])


@each_size
def test_the_score_is_the_distance_to_all_less_that_to_the_nearest_class(
    shots: list[int],
) -> None:
    x, columns = images(shots)
    inside = torch.randn(3, len(x), generator=generator(1)).double() @ x
    queries = torch.cat([x[:3], inside, noise(5, 5, torch.float64).corrected])
    classes, background = reference_pair(x, columns)
    expected = torch.stack(
        [background.distances(query)[0] - classes.distances(query).min() for query in queries]
    )
    actual = RelativeMahalanobis().fit(x, columns, len(shots)).scores(queries)
    torch.testing.assert_close(actual, expected, rtol=1e-8, atol=1e-8)


@settings(max_examples=12, deadline=None)
@given(
    shots=st.lists(st.integers(1, 9), min_size=1, max_size=4).filter(lambda s: max(s) > 1),
    seed=st.integers(0, 1000),
)
def test_left_out_is_refitting_with_the_same_ridge(shots: list[int], seed: int) -> None:
    x, columns = images(shots, seed)
    classes, background = reference_pair(x, columns)
    expected = torch.stack(
        [
            background.distances(x[i], background.kept(i))[0]
            - classes.distances(x[i], classes.kept(i)).min()
            for i in range(len(x))
        ]
    )
    actual = RelativeMahalanobis().fit(x, columns, len(shots)).left_out()
    torch.testing.assert_close(actual, expected, rtol=1e-8, atol=1e-8)


def test_a_query_is_as_familiar_alone_as_in_a_batch() -> None:
    x, columns = images([4, 6, 3])
    ood = RelativeMahalanobis().fit(x.float(), columns, 3)
    queries = noise(30, 1).corrected
    alone = torch.cat([ood.scores(queries[i : i + 1]) for i in range(30)])
    torch.testing.assert_close(ood.scores(queries), alone, rtol=1e-4, atol=1e-3)


def test_left_out_images_are_as_familiar_as_new_ones_and_others_are_not() -> None:
    left_out, fitted, new = [], [], []
    for seed in range(60):
        task = make_task([8, 8, 8], seed, queries=8, dtype=torch.float64)
        x, columns = task.support.embeddings.corrected, task.classes.columns(task.support.labels)
        ood = RelativeMahalanobis().fit(x, columns, 3)
        left_out.append(ood.left_out())
        fitted.append(ood.scores(x))
        new.append(ood.scores(task.queries.corrected))
    expected = torch.cat(new)
    spread = float(expected.std())
    for q in (0.05, 0.25, 0.5, 0.75):
        aim = float(expected.quantile(q))
        assert float(torch.cat(left_out).quantile(q)) == pytest.approx(aim, abs=0.35 * spread)
        assert float(torch.cat(fitted).quantile(q)) > aim + 0.5 * spread


@pytest.mark.parametrize("n", [3, CORRECTED_WIDTH + 4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_images_that_are_all_alike_give_numbers(n: int, dtype: torch.dtype) -> None:
    one = noise(1, 0, dtype).corrected
    columns = torch.arange(n) % 2
    ood = RelativeMahalanobis().fit(one.repeat(n, 1), columns, 2)
    assert bool(ood.left_out().isfinite().all())
    assert bool(ood.scores(noise(4, 1, dtype).corrected).isfinite().all())


# The threshold.

scores_of = st.lists(st.floats(-100, 100), min_size=0, max_size=40)


@given(scores=scores_of, share=st.floats(0, 1))
def test_the_threshold_is_an_order_statistic(scores: list[float], share: float) -> None:
    threshold = lower_quantile(torch.tensor(scores, dtype=torch.float64), share)
    rank = math.floor(share * (len(scores) + 1) + 1e-9)
    if rank == 0 or not scores:
        assert threshold is None
    else:
        assert threshold == sorted(scores)[min(rank, len(scores)) - 1]


@given(scores=st.lists(st.floats(-100, 100), min_size=1, max_size=40), share=st.floats(0, 1))
def test_at_most_the_share_of_exchangeable_scores_falls_under_the_threshold(
    scores: list[float], share: float
) -> None:
    """Each of n + 1 scores takes its turn as the new one: exactly what the theorem counts."""
    every = torch.tensor(scores, dtype=torch.float64)
    under = 0
    for i in range(len(every)):
        threshold = lower_quantile(torch.cat([every[:i], every[i + 1 :]]), share)
        under += threshold is not None and bool(every[i] < threshold)
    assert under <= share * len(every) + 1e-6


@given(n=st.integers(1, 60), share=st.floats(0, 0.99))
def test_without_ties_as_many_fall_under_as_the_share_allows(n: int, share: float) -> None:
    every = torch.randperm(n + 1, generator=generator(n)).double()
    under = 0
    for i in range(n + 1):
        threshold = lower_quantile(torch.cat([every[:i], every[i + 1 :]]), share)
        under += threshold is not None and bool(every[i] < threshold)
    assert under == min(math.floor(share * (n + 1) + 1e-9), n)


def test_shares_that_are_not_exact_in_binary_count_as_what_they_say() -> None:
    # 0.07 · 100 is a little more than 7, and 0.29 · 100 a little less than 29.
    scores = torch.arange(99).double()
    assert lower_quantile(scores, 0.07) == 6.0
    assert lower_quantile(scores, 0.29) == 28.0


def test_quantile_of_too_few_scores_is_none() -> None:
    assert lower_quantile(torch.arange(18.0), 0.05) is None
    assert lower_quantile(torch.arange(19.0), 0.05) == 0.0
    assert lower_quantile(torch.empty(0), 1.0) is None


def test_quantile_of_the_whole_share_is_the_largest_score() -> None:
    assert lower_quantile(torch.tensor([3.0, 1.0, 2.0]), 1.0) == 3.0


@given(scores=scores_of, share=st.floats(0, 1))
def test_the_rejection_threshold_is_the_quantile_where_there_is_one(
    scores: list[float], share: float
) -> None:
    values = torch.tensor(scores, dtype=torch.float64)
    quantile = lower_quantile(values, share)
    threshold = rejection_threshold(values, share, max(1, len(scores) - 1))
    if quantile is not None and len(scores) > 1:
        assert threshold == quantile
    elif share < 1e-9 or len(scores) < 2:
        assert threshold is None
    else:  # too few: it rejects none of them
        assert threshold is not None
        assert threshold <= min(scores)


def test_a_few_normal_scores_reject_no_more_than_the_share() -> None:
    for n in (2, 5, 12):
        rng = generator(n)
        draws = 7 + 3 * torch.randn(2500, n + 1, generator=rng, dtype=torch.float64)
        under = 0
        for row in draws:
            threshold = rejection_threshold(row[:-1], 0.05, n - 1)
            under += threshold is not None and bool(row[-1] < threshold)
        # Not never either, which is what it is for.
        assert 0.02 < under / len(draws) < 0.06


def test_the_few_score_threshold_follows_shift_and_scale() -> None:
    scores = torch.tensor([1.0, 2.5, 2.0, 4.0]).double()
    plain = rejection_threshold(scores, 0.05, 3)
    assert plain is not None
    assert rejection_threshold(3 * scores - 7, 0.05, 3) == pytest.approx(3 * plain - 7)


def test_at_two_shots_as_many_images_are_rejected_as_at_many() -> None:
    """Pairs are as far apart as the other way round: less is known than two images tell."""
    rates = {}
    for k, n_classes in ((2, 6), (2, 20), (4, 20)):
        shots = torch.full((k * n_classes,), k)
        freedom, under = degrees_of_freedom(shots), []
        assert freedom == (k - 1) * n_classes
        for seed in range(60):
            task = make_task([k] * n_classes, seed, queries=4, dtype=torch.float64)
            x, columns = (
                task.support.embeddings.corrected,
                task.classes.columns(task.support.labels),
            )
            ood = RelativeMahalanobis().fit(x, columns, n_classes)
            threshold = rejection_threshold(comparable(ood.left_out(), shots), 0.05, freedom)
            assert threshold is not None
            under.append((ood.scores(task.queries.corrected) < threshold).double().mean())
        rates[k, n_classes] = 100 * float(torch.stack(under).mean())
    assert max(rates.values()) < 8, rates
    assert rates[2, 20] > 2.5, rates
    assert rates[4, 20] > 3, rates


def test_left_out_scores_are_drawn_together_by_what_one_image_less_spreads_them() -> None:
    scores = torch.tensor([0.0, 2.0, 4.0, 6.0]).double()
    same = comparable(scores, torch.full((4,), 10**9))
    torch.testing.assert_close(same, scores)
    pairs = comparable(scores, torch.full((4,), 2))
    torch.testing.assert_close(pairs.mean(), scores.mean())
    torch.testing.assert_close(pairs.std(), scores.std() * math.sqrt(3) / 2)
