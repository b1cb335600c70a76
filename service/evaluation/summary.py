"""Means over draws with their 95 % confidence intervals (Student's t)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import mean, stdev

import torch
from scipy.stats import t

from service.evaluation.few_shot_protocol import Result
from service.evaluation.metrics import calibration_error

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Estimate:
    """Mean over draws with its confidence interval.

    Attributes:
        mean: The mean.
        half_width: The 95 % confidence interval of the mean is mean ± this; None with one draw.
    """

    mean: float
    half_width: float | None


def estimate(values: Sequence[float]) -> Estimate:
    """Mean of n independent draws with the interval of Student's t, n − 1 degrees of freedom."""
    n = len(values)
    if n < 2:
        return Estimate(values[0], None)
    quantile = float(t.ppf((1 + CONFIDENCE) / 2, n - 1))
    return Estimate(mean(values), quantile * stdev(values) / sqrt(n))


def summarise(results: Sequence[Result], metric: str) -> dict[tuple[str, int], Estimate]:
    """Estimate a metric for each method and number of shots; only where all draws have it.

    Args:
        results: Of any methods, shots and seeds.
        metric: Name of one of ``service.evaluation.metrics.Metrics``'s attributes.
    """
    values_of: defaultdict[tuple[str, int], list[float | None]] = defaultdict(list)
    for result in results:
        values_of[result.method, result.shots].append(getattr(result.metrics, metric))
    return {
        key: estimate([value for value in values if value is not None])
        for key, values in values_of.items()
        if None not in values
    }


def pooled_calibration_error(results: Sequence[Result]) -> dict[tuple[str, int], float]:
    """Expected calibration error of all draws' predictions together, by method and shots.

    Over the few hundred queries of one draw, chance alone sets accuracy and confidence of a bin
    apart by some points, and the mean over draws keeps that. Measured together it averages out, but
    so do errors of draws in opposite directions: the one is too high, the other too low.

    Args:
        results: Of any methods, shots and seeds.
    """
    together: defaultdict[tuple[str, int], list[Result]] = defaultdict(list)
    for result in results:
        together[result.method, result.shots].append(result)
    return {
        key: calibration_error(
            torch.cat([result.confidence for result in some]),
            torch.cat([result.correct for result in some]),
        )
        for key, some in together.items()
    }
