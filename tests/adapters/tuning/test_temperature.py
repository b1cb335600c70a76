"""The two temperatures, and the tuning that they end up in."""

from __future__ import annotations

import math

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import assume, given, settings
from torch import Tensor
from torch.nn.functional import cross_entropy

from adapters.heads.gda import GDAParameters
from adapters.tuning.calibrated_tuning import calibrated
from adapters.tuning.temperature import (
    calibrated_temperature,
    earned_temperature,
    smoothed_loss,
)
from adapters.tuning.tuning import Parameters
from adapters.tuning.votes import Votes
from tests.adapters.synthetic import generator


def scored(n: int, n_classes: int, seed: int, lead: float = 2.0) -> tuple[Tensor, Tensor]:
    """Logits that are right more often the larger the ``lead`` of the true class."""
    rng = generator(seed)
    targets = torch.randint(0, n_classes, (n,), generator=rng)
    logits = 3 * torch.randn(n, n_classes, generator=rng, dtype=torch.float64)
    logits[torch.arange(n), targets] += lead
    return logits, targets


def alike(n: int) -> Tensor:
    return torch.full((n,), 1 / n, dtype=torch.float64)


def mean_confidence(logits: Tensor, temperature: float, weights: Tensor) -> float:
    return float((logits / temperature).softmax(dim=1).amax(dim=1) @ weights)


@settings(max_examples=50, deadline=None)
@given(
    n=st.integers(2, 60),
    n_classes=st.integers(2, 6),
    seed=st.integers(0, 1000),
    lead=st.floats(0, 10),
    by_class=st.booleans(),
)
def test_mean_confidence_is_what_the_votes_earned(
    n: int, n_classes: int, seed: int, lead: float, by_class: bool
) -> None:
    logits, targets = scored(n, n_classes, seed, lead)
    weights = Votes.class_weights(targets) if by_class else alike(n)
    share = float(((logits.argmax(dim=1) == targets).double() * weights).sum())
    earned = (n * share + 1) / (n + 2)
    temperature = earned_temperature(logits, targets, weights)
    spread = float(logits.std())
    at_the_end = temperature == pytest.approx(1000 * spread)
    # The root is found to a thousandth of the logarithm of the temperature.
    confidence = mean_confidence(logits, temperature, weights)
    as_earned = confidence == pytest.approx(earned, abs=2e-3)
    if earned <= 1 / n_classes:  # which is no preference, and no temperature reaches less
        assert at_the_end
    elif earned <= 1 / n_classes + 1e-3:  # hardly more, and the range may end before it
        assert at_the_end or as_earned
    else:
        assert as_earned


def test_confidence_follows_laplace_for_a_few_right_votes() -> None:
    logits = 5 * torch.eye(3)
    temperature = earned_temperature(logits, torch.arange(3), alike(3))
    confidence = (logits / temperature).softmax(dim=1).amax(dim=1)
    torch.testing.assert_close(confidence, torch.full((3,), 0.8), rtol=0, atol=1e-3)


def test_votes_that_are_all_wrong_end_at_no_preference() -> None:
    logits = 5 * torch.eye(4)
    temperature = earned_temperature(logits, torch.tensor([1, 2, 3, 0]), alike(4))
    # One of six is less than one of four, which no temperature reaches.
    assert temperature == pytest.approx(1000 * float(logits.std()), rel=1e-5)


def test_votes_that_can_never_be_sure_enough_end_at_certainty() -> None:
    # Half of the rows are tied for ever; all count as right.
    logits = torch.tensor([[1.0, 1.0]] * 50 + [[2.0, 1.0]] * 50)
    temperature = earned_temperature(logits, torch.zeros(100, dtype=torch.int64), alike(100))
    assert temperature == pytest.approx(1e-3 * float(logits.std()), rel=1e-5)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), scale=st.sampled_from([1e-3, 0.1, 30.0, 1e4]))
def test_both_temperatures_follow_the_scale_of_the_logits(seed: int, scale: float) -> None:
    logits, targets = scored(30, 4, seed)
    weights = alike(30)
    assume(float((logits.argmax(1) == targets).double().mean()) > 0.4)
    for of in (
        lambda values: earned_temperature(values, targets, weights),
        lambda values: calibrated_temperature(values, targets, weights=weights),
    ):
        assert of(scale * logits) == pytest.approx(scale * of(logits), rel=5e-3)


@settings(max_examples=25, deadline=None)
@given(n=st.integers(5, 60), seed=st.integers(0, 1000), by_class=st.booleans())
def test_calibrated_temperature_minimises_the_smoothed_loss(
    n: int, seed: int, by_class: bool
) -> None:
    logits, targets = scored(n, 4, seed)
    weights = Votes.class_weights(targets) if by_class else None
    best = calibrated_temperature(logits, targets, weights=weights)
    least = smoothed_loss(logits, targets, best, weights)
    spread = float(logits.std())
    grid = [spread * math.exp(0.05 * k) for k in range(-138, 139)]  # all of the range
    assert least <= min(smoothed_loss(logits, targets, t, weights) for t in grid) + 1e-6


def test_a_few_right_votes_do_not_give_certainty() -> None:
    logits = 5 * torch.eye(3)
    temperature = calibrated_temperature(logits, torch.arange(3))
    probability = (logits / temperature).softmax(dim=1).max().item()
    assert 0.7 < probability < 0.95  # three right of three: about 1 - 1/5


@pytest.mark.parametrize("logits", [torch.zeros(4, 3), torch.rand(4, 1), torch.empty(0, 3)])
def test_temperatures_of_logits_that_say_nothing_are_one(logits: Tensor) -> None:
    targets = torch.zeros(len(logits), dtype=torch.int64)
    assert calibrated_temperature(logits, targets) == 1.0
    assert earned_temperature(logits, targets, Votes.class_weights(targets)) == 1.0


def test_rows_that_differ_by_a_constant_only_say_nothing() -> None:
    logits = torch.tensor([[1.0, 1.0], [7.0, 7.0]])
    assert calibrated_temperature(logits, torch.tensor([0, 1])) == 1.0
    assert earned_temperature(logits, torch.tensor([0, 1]), alike(2)) == 1.0


@pytest.mark.parametrize("temperature", [0.3, 1.0, 7.0])
def test_smoothed_loss_is_cross_entropy_with_smoothed_targets(temperature: float) -> None:
    logits, targets = scored(50, 4, 0)
    expected = cross_entropy(logits / temperature, targets, label_smoothing=1 / 52).item()
    assert smoothed_loss(logits, targets, temperature) == pytest.approx(expected, abs=1e-12)


def test_weights_of_the_smoothed_loss_are_shares_of_the_rows() -> None:
    logits, targets = scored(6, 3, 0)
    rng = generator(1)
    weights = torch.rand(6, generator=rng, dtype=torch.float64)
    weights /= weights.sum()
    rows = cross_entropy(logits / 2, targets, label_smoothing=1 / 8, reduction="none")
    assert smoothed_loss(logits, targets, 2.0, weights) == pytest.approx(float(rows @ weights))


def test_calibrating_measures_what_the_votes_say() -> None:
    logits, targets = scored(40, 4, 3)
    votes = Votes(torch.arange(40), targets, Votes.class_weights(targets))
    tuning = calibrated(GDAParameters(alpha=2.0), logits, votes)
    best = calibrated_temperature(logits, targets, weights=votes.weights)
    assert tuning.parameters == GDAParameters(alpha=2.0)
    assert tuning.votes == 40
    assert tuning.temperature == earned_temperature(logits, targets, votes.weights)
    assert tuning.loss == smoothed_loss(logits, targets, best, votes.weights)
    recalls = [float((logits[targets == c].argmax(1) == c).double().mean()) for c in range(4)]
    assert tuning.accuracy == pytest.approx(sum(recalls) / 4)


def test_calibrating_without_votes_says_nothing() -> None:
    tuning = calibrated(Parameters(), torch.empty(0, 3), Votes.of(torch.arange(3), 3))
    assert (tuning.votes, tuning.temperature) == (0, 1.0)
    assert tuning.accuracy is None
    assert tuning.loss is None
