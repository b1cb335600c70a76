"""The learning curve: what it makes of votes whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.held_out_votes import HeldOutVotes
from adapters.learning_curve import COVERAGE, LearningCurve, expit, logit


def votes_of(
    level: float, slope: float, shots: int, n_classes: int, chance: np.random.Generator
) -> HeldOutVotes:
    """Votes of images that are as hard at every level, along a power law of the odds."""
    sizes = [shots]
    while sizes[-1] > 1:
        sizes.append(max((sizes[-1] + 1) // 2, 1))
    columns = np.repeat(np.arange(n_classes), shots)
    hardness = chance.random(len(columns))
    right = np.stack([hardness < expit(np.array(level + slope * np.log2(k))) for k in sizes])
    return HeldOutVotes(
        columns,
        np.repeat(np.array(sizes)[:, None], n_classes, axis=1),
        right.astype(np.float64),
        np.ones(len(columns), dtype=bool),
    )


def fitted(level: float, slope: float, shots: int, n_classes: int, seed: int = 0) -> LearningCurve:
    curve = LearningCurve.of(votes_of(level, slope, shots, n_classes, np.random.default_rng(seed)))
    assert curve is not None
    return curve


@pytest.mark.parametrize("slope", [0.15, 0.4, 0.6])
def test_many_votes_say_what_they_follow(slope: float) -> None:
    curve = fitted(0.2, slope, 32, 100)
    for shots in (2, 8, 32):
        truth = expit(np.array(0.2 + slope * np.log2(shots)))
        assert curve.accuracy(shots).value == pytest.approx(float(truth), abs=0.025)
    gain = curve.gain(np.array([8]), np.array([16]))
    truth = expit(np.array(0.2 + 4 * slope)) - expit(np.array(0.2 + 3 * slope))
    assert gain.value == pytest.approx(float(truth), abs=0.02)


@settings(max_examples=50, deadline=None)
@given(
    level=st.floats(-3, 4),
    slope=st.floats(0, 0.8),
    shots=st.integers(3, 24),
    n_classes=st.integers(4, 12),
)
def test_estimates_are_shares_within_their_intervals(
    level: float, slope: float, shots: int, n_classes: int
) -> None:
    curve = fitted(level, slope, shots, n_classes)
    for at in (1.0, shots, shots + 8.0, 1000.0):
        one = curve.accuracy(at)
        assert 0 <= one.low <= one.value <= one.high <= 1
    gain = curve.gain(np.full(n_classes, shots), np.full(n_classes, shots + 8))
    assert gain.low <= gain.value <= gain.high
    none = curve.gain(np.full(n_classes, shots), np.full(n_classes, shots))
    assert (none.value, none.low, none.high) == (0, 0, 0)


def test_few_votes_lean_on_the_prior_and_many_do_not() -> None:
    """Accuracy does not rise at all: of few votes that may be chance, of many it is not."""
    few, many = (fitted(0.5, 0.0, k, n).samples[:, 1].mean() for k, n in ((4, 3), (32, 100)))
    assert 0.15 < few < 0.4
    assert abs(many) < 0.08


def test_interval_holds_the_truth_as_often_as_it_says() -> None:
    """Slopes as on generic images, further doublings as well: 300 classifiers."""
    chance = np.random.default_rng(1)
    inside = []
    for _ in range(300):
        level, slope = chance.normal(0.5, 1), chance.normal(0.4, 0.15)
        votes = votes_of(level, slope, 8, 10, chance)
        curve = LearningCurve.of(votes)
        assert curve is not None
        now = level + 3 * slope
        truth = expit(np.array(now + slope + chance.normal(-0.1, 0.1))) - expit(np.array(now))
        gain = curve.gain(np.full(10, 8), np.full(10, 16))
        inside.append(gain.low <= truth <= gain.high)
    assert np.mean(inside) == pytest.approx(COVERAGE, abs=0.06)


def test_more_votes_make_it_surer() -> None:
    few, many = (fitted(0.5, 0.4, 8, n).accuracy(8) for n in (4, 40))
    assert many.high - many.low < 0.6 * (few.high - few.low)


@pytest.mark.parametrize(("shots", "n_classes"), [(1, 50), (2, 50), (3, 3), (5, 2)])
def test_silent_of_too_few(shots: int, n_classes: int) -> None:
    assert LearningCurve.of(votes_of(0, 0.4, shots, n_classes, np.random.default_rng(0))) is None


def test_single_images_beside_others_change_nothing() -> None:
    votes = votes_of(0.5, 0.4, 6, 5, np.random.default_rng(0))
    lone = HeldOutVotes(
        np.append(votes.columns, 5),
        np.column_stack([votes.shots, np.ones(len(votes.shots), dtype=int)]),
        np.column_stack([votes.right, np.full(len(votes.right), np.nan)]),
        np.append(votes.voters, False),
    )
    alone, beside = LearningCurve.of(votes), LearningCurve.of(lone)
    assert alone is not None
    assert beside is not None
    assert alone.samples == pytest.approx(beside.samples)
    assert alone.shots == pytest.approx(beside.shots)


def test_every_class_has_the_same_say() -> None:
    """A class of 30 images that are all wrong, and three of 5 that are all right."""
    columns = np.repeat([0, 1, 2, 3], [30, 5, 5, 5])
    right = np.tile((columns > 0).astype(float), (3, 1))
    shots = np.array([[30, 5, 5, 5], [15, 3, 3, 3], [8, 1, 1, 1]])
    curve = LearningCurve.of(HeldOutVotes(columns, shots, right, np.ones(45, dtype=bool)))
    assert curve is not None
    assert curve.measured == pytest.approx([0.75] * 3)
    assert curve.shots[0] == pytest.approx((30 * 125) ** 0.25)


@given(st.floats(0.001, 0.999))
def test_logit_and_expit_undo_each_other(share: float) -> None:
    assert expit(logit(np.array(share))) == pytest.approx(share)
