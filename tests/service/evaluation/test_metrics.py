"""Metrics against sums done by hand and formulas written down another way."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from torchmetrics.classification import MulticlassCalibrationError

from adapters.heads import Tuning
from adapters.measures.calibration import Calibration
from service.evaluation.batched_answers import Predictions
from service.evaluation.few_shot_protocol import Result
from service.evaluation.metrics import (
    BINS,
    Metrics,
    auroc,
    calibration_error,
    compute_metrics,
    cross_entropy,
)
from service.evaluation.summary import estimate, pooled_calibration_error, summarise


def test_calibration_error_agrees_with_sums_by_hand() -> None:
    # Two queries at 0.9, one right: 0.4 apart. One at 0.3, wrong: 0.3 apart.
    error = calibration_error(torch.tensor([0.9, 0.9, 0.3]), torch.tensor([True, False, False]))
    assert error == pytest.approx(2 / 3 * 0.4 + 1 / 3 * 0.3)


@pytest.mark.parametrize("seed", range(3))
def test_calibration_error_is_that_of_the_probabilities(seed: int) -> None:
    random = torch.Generator().manual_seed(seed)
    probabilities = (3 * torch.randn(200, 7, generator=random)).softmax(dim=1)
    truth = torch.randint(7, (200,), generator=random)
    confidence, best = probabilities.max(dim=1)
    expected = MulticlassCalibrationError(num_classes=7, n_bins=15, norm="l1")(probabilities, truth)
    error = calibration_error(confidence, best == truth)
    assert error == pytest.approx(float(expected), abs=1e-6)
    bins = Calibration.of(confidence, best == truth, BINS)
    gaps = np.nan_to_num(np.abs(bins.accuracy.numpy() - bins.confidence.numpy()))
    assert float(bins.counts.numpy() @ gaps) / 200 == pytest.approx(error, abs=1e-6)


def test_calibration_counts_each_query_in_its_bin() -> None:
    confidence = torch.tensor([0.01, 0.5, 0.52, 1.0])
    bins = Calibration.of(confidence, torch.tensor([False, True, False, True]), BINS)
    assert bins.counts.sum() == 4
    assert list(np.flatnonzero(bins.counts.numpy())) == [0, 7, BINS - 1]
    assert bins.accuracy[7] == 0.5
    assert float(bins.confidence[7]) == pytest.approx(0.51)
    assert bins.accuracy[-1] == bins.confidence[-1] == 1


def test_cross_entropy_is_the_mean_of_minus_ln_p() -> None:
    probabilities = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3]])
    found = cross_entropy(probabilities, torch.tensor([0, 2]))
    assert found == pytest.approx(-(math.log(0.7) + math.log(0.3)) / 2)
    uniform = torch.full((5, 4), 0.25)
    assert cross_entropy(uniform, torch.tensor([0, 1, 2, 3, 0])) == pytest.approx(math.log(4))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_cross_entropy_of_a_probability_of_0_is_finite(dtype: torch.dtype) -> None:
    found = cross_entropy(torch.eye(2, dtype=dtype), torch.tensor([1, 1]))
    assert found == pytest.approx(-math.log(torch.finfo(dtype).tiny) / 2)


def test_pooled_calibration_error_is_that_of_one_draw_of_all_queries() -> None:
    def result(method: str, shots: int, confidence: list[float], correct: list[bool]) -> Result:
        metrics = Metrics(0.5, 0.5, 0.5, None, None, None, None, None)
        held = torch.tensor(confidence), torch.tensor(correct)
        return Result(method, shots, 0, 2, 0, metrics, Tuning(), *held)

    results = [
        # Each draw is far off in its bin; together they are right.
        result("a", 1, [0.5], [True]),
        result("a", 1, [0.5], [False]),
        result("a", 2, [0.9], [False]),
        result("b", 1, [0.9, 0.9], [True, True]),
        # Draws of different sizes count by their queries.
        result("b", 1, [0.9], [False]),
    ]
    assert pooled_calibration_error(results) == {
        ("a", 1): pytest.approx(0.0),
        ("a", 2): pytest.approx(0.9),
        ("b", 1): pytest.approx(0.9 - 2 / 3),
    }


@pytest.mark.parametrize("size", [0.01, 1.0, 1e4])
def test_auroc_is_the_share_of_pairs_in_order(size: float) -> None:
    random = torch.Generator().manual_seed(0)
    known = (torch.randn(30, generator=random) + 0.7).mul(4).round() / 4 * size
    unknown = torch.randn(20, generator=random).mul(4).round() / 4 * size
    pairs = [(a > b) + (a == b) / 2 for a, b in itertools.product(known, unknown)]
    expected = float(sum(pairs)) / len(pairs)
    assert 0.55 < expected < 0.9
    assert auroc(known, unknown) == pytest.approx(expected)


def test_metrics_agree_with_sums_by_hand() -> None:
    yes, no = True, False
    predictions = Predictions(
        probabilities=torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.4, 0.3, 0.3]]),
        familiarity=torch.tensor([3.0, 2.0, -1.0]),
        known=torch.tensor([yes, yes, no]),
        prediction_sets=torch.tensor([[yes, no, no], [no, yes, yes], [yes, yes, no]]),
    )
    unknown = Predictions(
        torch.full((2, 3), 1 / 3), torch.tensor([-2.0, 2.5]), torch.tensor([no, yes]), None
    )
    metrics = compute_metrics(predictions, torch.tensor([0, 2, 2]), unknown)
    assert metrics.accuracy == pytest.approx(1 / 3)
    assert metrics.cross_entropy == pytest.approx(-math.log(0.7 * 0.3 * 0.3) / 3)
    assert metrics.coverage == pytest.approx(2 / 3)
    assert metrics.set_size == pytest.approx(5 / 3)
    assert metrics.auroc == pytest.approx(4 / 6)
    assert metrics.rejected_known == pytest.approx(1 / 3)
    assert metrics.rejected_unknown == pytest.approx(1 / 2)
    assert compute_metrics(predictions, torch.tensor([0, 2, 2])).auroc is None


def test_metrics_are_none_where_not_asked_for() -> None:
    predictions = Predictions(torch.eye(2), None, torch.ones(2, dtype=torch.bool), None)
    metrics = compute_metrics(predictions, torch.tensor([0, 1]), predictions)
    assert metrics == Metrics(1.0, 0.0, 0.0, None, None, None, None, None)


def test_estimate_gives_interval_of_students_t() -> None:
    found = estimate([1.0, 2.0, 3.0])
    assert found.mean == 2
    # From a table of t: 4.303 at 97.5 % with two degrees of freedom.
    assert found.half_width == pytest.approx(4.303 / 3**0.5, abs=1e-3)
    assert estimate([0.5]).half_width is None


def test_summarise_keeps_methods_and_shots_apart() -> None:
    def result(method: str, shots: int, seed: int, accuracy: float, auroc: float | None) -> Result:
        metrics = Metrics(accuracy, 0.0, 0.0, None, None, auroc, None, None)
        nothing = torch.empty(0)
        return Result(method, shots, seed, 2, 0, metrics, Tuning(), nothing, nothing)

    results = [
        result("a", 1, 0, 0.2, None),
        result("a", 1, 1, 0.4, 0.9),
        result("a", 2, 0, 0.6, 0.5),
        result("b", 1, 0, 0.8, 0.7),
    ]
    accuracy = summarise(results, "accuracy")
    assert {key: value.mean for key, value in accuracy.items()} == {
        ("a", 1): pytest.approx(0.3),
        ("a", 2): 0.6,
        ("b", 1): 0.8,
    }
    # Not from the draws alone that have it.
    assert summarise(results, "auroc").keys() == {("a", 2), ("b", 1)}
