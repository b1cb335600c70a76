"""Means over draws with their 95 % confidence intervals (Student's t)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import mean, stdev

from scipy.stats import t

from service.evaluation.few_shot_protocol import Result

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
