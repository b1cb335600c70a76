"""Logistic regression with a prior, and thresholds."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from adapters.multi_label.calibration import LogisticPrior, logistic
from adapters.multi_label.expected import EXPECTED, expected_at
from adapters.multi_label.thresholds import SHRINKAGE, best_thresholds
from tests.adapters.synthetic import generator

PRIOR = LogisticPrior((0.4, 1.0, -0.5), (0.2, 0.5, 0.5), 0.45)


@settings(max_examples=15, deadline=None)
@given(images=st.integers(1, 30), classes=st.integers(1, 4), seed=st.integers(0, 2**16))
def test_it_is_the_highest_posterior(images: int, classes: int, seed: int) -> None:
    rng = generator(seed)
    terms = [3 * torch.randn(images, classes, generator=rng).double() for _ in range(2)]
    targets = torch.rand(images, classes, generator=rng) < 0.4
    votes = torch.rand(images, generator=rng).double()
    voting = torch.ones(classes, dtype=torch.bool)
    found = logistic(terms, targets, voting, votes, PRIOR, -1.0)
    first, second = (term.numpy() for term in terms)
    wanted, counts = targets.numpy(), votes.numpy()[:, None]

    def posterior(at: np.ndarray) -> float:
        logits = -1.0 + at[0] * first + at[1] * second + at[2] + at[3:]
        loss = counts * (np.logaddexp(0, logits) - wanted * logits)
        away = (at[:3] - np.array(PRIOR.means)) / np.array(PRIOR.deviations)
        return float(loss.sum() + away @ away / 2 + at[3:] @ at[3:] / 2 / PRIOR.of_classes**2)

    ours = np.array([*found.slopes, found.offset, *found.of_classes])
    start = np.array([*PRIOR.means, *np.zeros(classes)])
    best = minimize(posterior, start, method="BFGS", options={"gtol": 1e-8})
    assert posterior(ours) <= best.fun + 1e-6
    assert ours == pytest.approx(best.x, abs=1e-3)


def test_without_votes_it_is_the_prior() -> None:
    term = torch.zeros(0, 3)
    none = torch.zeros(3, dtype=torch.bool)
    found = logistic([term, term], torch.zeros(0, 3).bool(), none, torch.zeros(0), PRIOR)
    assert (*found.slopes, found.offset) == PRIOR.means
    assert found.loss is None
    assert not found.of_classes.any()


def test_expected_slopes_lie_between_those_that_were_measured() -> None:
    assert expected_at(0.5) is EXPECTED[0]
    assert expected_at(100) is EXPECTED[-1]
    for fewer, more in pairwise(EXPECTED):
        between = expected_at((fewer.shots * more.shots) ** 0.5)
        for part in ("names", "images", "offset"):
            middle = (getattr(fewer, part)[0] + getattr(more, part)[0]) / 2
            assert getattr(between, part)[0] == pytest.approx(middle)


def test_thresholds_divide_what_left_out_images_show_from_what_they_do_not() -> None:
    shown = np.zeros((80, 2), dtype=bool)
    shown[:40] = True  # beside each other, so that they tell
    chances = np.where(shown, [0.2, 0.9], [0.1, 0.7])
    both = np.array([True, True])
    low, high = best_thresholds(chances, shown, both, 0.5)
    assert 0.1 < low < 0.35
    assert high > 0.7


def test_thresholds_are_of_the_highest_f1_of_classes_that_are_judged() -> None:
    rng = np.random.default_rng(0)
    shown = rng.random((60, 5)) < 0.4
    shown[:, 3] = False
    chances = np.clip(0.3 * rng.standard_normal(shown.shape) + np.where(shown, 0.6, 0.4), 0, 1)
    judged = np.array([True, False, True, False, True])
    found = best_thresholds(chances.astype(np.float32), shown, judged, 0.25)
    assert (found[~judged] == 0.25).all()
    grid = np.linspace(0.05, 0.95, 46)
    share = SHRINKAGE / shown[:, judged].sum()
    beside = shown[shown.sum(axis=1) > 1].sum(axis=0)
    for column in judged.nonzero()[0]:
        f1 = []
        for threshold in grid:
            given = chances.astype(np.float32).astype(float) >= threshold
            hits = (given & shown)[:, column].sum() + share * (given & shown)[:, judged].sum()
            named = given[:, column].sum() + share * given[:, judged].sum()
            f1.append(2 * hits / (named + shown[:, column].sum() + SHRINKAGE))
        best = (np.array(f1) >= max(f1) - 1e-9).nonzero()[0]
        told = beside[column] / (beside[column] + SHRINKAGE)
        own = grid[best[len(best) // 2]]
        assert found[column] == pytest.approx(told * own + (1 - told) * 0.25)


def test_images_of_one_label_do_not_move_thresholds_from_the_default() -> None:
    shown = np.eye(2, dtype=bool).repeat(20, axis=0)
    chances = np.where(shown, 0.2, 0.1)
    both = np.array([True, True])
    assert best_thresholds(chances, shown, both, 0.35).tolist() == [0.35, 0.35]
    nobody = np.array([False, False])
    assert best_thresholds(chances, ~shown, nobody, 0.35).tolist() == [0.35, 0.35]
