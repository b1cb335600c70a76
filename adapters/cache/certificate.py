"""Proofs that keys which were not looked at cannot change an answer.

A key's vote is ``exp(−β(1 − s))``, s being its similarity with the query. What makes leaving
keys out hard is their number: at the β that support images choose (1 to 8, docs/cache.md) a
million faint votes outweigh the strong ones. So what is left out has to be bounded by more than
its greatest similarity.

Three things are known of the m keys of a class that were not looked at: the mean s̄ of their
similarities, exactly, because it is the query's with their mean; a cap on each of them (that of
the k-th best key after a search for the best k, or 1); and a bound on ``Σ (s_j − s̄)²``, because
the scatter of a class's keys has a greatest eigenvalue. The exponential is convex, so the sum of
their votes is at least ``m · exp(−β(1 − s̄))`` (Jensen). It is at most what two groups of keys
give, one at the cap and one below the mean (Bennett, *Probability Inequalities for the Sum of
Independent Random Variables*, 1962). Without the bound on the scatter and without the mean that
is Tip-Adapter's ``(n − k) · exp(−β(1 − s_k))``, of which this is never more.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# By how much a probability may be off, and under which classes need not be told apart.
TOLERANCE = 1e-3
# Of similarities computed in float32 from unit vectors.
ROUNDING = 1e-6
# A class that may be so much above the others that sums would lose them is not settled. In nats.
_FAR = 5.0
# The least and the greatest similarity of vectors that were rounded to float16 or int8.
LEAST, GREATEST = -1.001, 1.001


def vote_bounds(
    count: Array, mean: Array, scatter: Array, beta: float, cap: float | Array = GREATEST
) -> tuple[Array, Array]:
    """Bounds of ``Σ exp(−β(1 − s_j))`` over the keys of each of N classes.

    Args:
        count: (N,) how many keys.
        mean: (N,) the mean s̄ of their similarities with the query.
        scatter: (N,) at least ``Σ (s_j − s̄)²``; infinite where nothing is known.
        beta: β.
        cap: At least every s_j.

    Returns:
        (N,) lower and (N,) upper bounds.
    """
    lower = count * np.exp(-beta * (1 - (mean - ROUNDING)))
    mean = mean + ROUNDING
    a = np.maximum(cap - mean, ROUNDING)
    # That no similarity is under −1 limits the variance by itself (Bhatia and Davis, 2000).
    v = np.minimum(scatter / np.maximum(count, 1), a * (mean - LEAST))
    at_cap = v / (v + a * a)
    votes = at_cap * np.exp(-beta * (1 - mean - a)) + (1 - at_cap) * np.exp(
        -beta * (1 - mean + v / a)
    )
    return lower, np.maximum(count * votes, lower)


def certified(lower: Array, upper: Array, temperature: float, tolerance: float = TOLERANCE) -> bool:
    """Whether logits anywhere within bounds give one answer.

    They do if the softmax of the middle of the bounds is never off by more than ``tolerance``,
    and no two classes can change places of which one may be more probable than that.

    Args:
        lower: (N,) lower bounds of the logits.
        upper: (N,) upper bounds; equal to the lower ones where a logit is known.
        temperature: Logits are divided by it.
        tolerance: Of probabilities.
    """
    middle = (lower + upper) / 2
    top = middle.max()
    if (upper.max() - top) / temperature > _FAR:
        return False
    low, mid, high = np.exp((np.stack([lower, middle, upper]) - top) / temperature)
    most = high / (high + (low.sum() - low).clip(0))
    least = low / (low + (high.sum() - high).clip(0))
    p = mid / mid.sum()
    if not max((most - p).max(), (p - least).max()) <= tolerance:  # NaN is no proof
        return False
    matter = most > tolerance
    if not matter.any():
        return True
    # The ranking has to hold as far down as there is a class that matters.
    ranked = middle >= middle[matter].min()
    order = np.flatnonzero(ranked)[np.argsort(-middle[ranked], kind="stable")]
    below = upper[~ranked].max(initial=-np.inf)
    later = np.append(_greatest_from(upper[order])[1:], -np.inf).clip(min=below)
    return bool((lower[order] >= later).all())


def _greatest_from(values: Array) -> Array:
    """(N,) the greatest of each of N values and all that follow it."""
    return np.maximum.accumulate(values[::-1])[::-1]
