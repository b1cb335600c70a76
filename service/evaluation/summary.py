"""Means over draws, and how sure they are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import mean, stdev

from scipy.stats import t

from service.evaluation.protocol import Result

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over draws.

    Attributes:
        mean: The mean.
        half_width: The 95 % interval of the mean is mean ± this; None with one draw.
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


def summarise(results: Sequence[Result], measure: str) -> dict[tuple[str, int], Estimate]:
    """Estimate a measure for each method and number of shots; only where all draws have it.

    Args:
        results: Of any methods, shots and seeds.
        measure: Name of one of ``service.evaluation.protocol.Measured``'s attributes.
    """
    found: defaultdict[tuple[str, int], list[float | None]] = defaultdict(list)
    for result in results:
        found[result.method, result.shots].append(getattr(result.measured, measure))
    return {
        key: estimate([value for value in values if value is not None])
        for key, values in found.items()
        if None not in values
    }
