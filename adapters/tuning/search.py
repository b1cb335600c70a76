"""Hyperparameter search: every setting of a grid is scored on leave-one-out votes.

What a head adds to other logits is one or several *terms* with a weight (α, γ). The terms come
with their own image left out already (by masking, or in closed form), so a setting costs a
weighted sum and a comparison: nothing is refitted per image or per setting.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from adapters.rest import Rest, no_rest
from adapters.systematic_sampling import evenly
from adapters.tuning.temperature import calibrated_temperatures
from adapters.tuning.votes import Votes

# Weights of a term, in units of the trust in the class names times the term's own unit.
WEIGHTS = tuple(2.0**k for k in range(-3, 13))
# Share of the votes that a setting may be behind the most accurate one: less is chance.
TOLERANCE = 0.02
# Cross-entropies that differ by less are the same: the last digits of embeddings must not decide.
LOSS_TOLERANCE = 2e-3
# Numbers in the logits by which settings that hit alike are compared; bounds the time of ties.
MAX_COMPARED = 50_000
# Numbers of several settings that are held at a time.
_BLOCK = 200_000

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Term(Generic[S]):
    """What a head would add to the logits of v votes, under one setting.

    Attributes:
        setting: The hyperparameters that it was made with, its weight apart.
        values: (v, N), each row without its own image, scaled so that a typical one is about 1.
        scale: What the term of the head's equation was multiplied with to be so.
    """

    setting: S
    values: Tensor
    scale: float = 1.0


def standardised(values: Tensor) -> Term[None]:
    """A term without a setting: (v, N) values, centred over the classes and of unit spread.

    Where the classes differ by no more than rounding (a single class, images all alike) there is
    no term: zeros, of scale 0.
    """
    centred = values - values.mean(dim=1, keepdim=True)
    noise = 1e-5 * float(values.abs().max())
    spread = float(centred.std()) if centred.numel() > 1 else 0.0
    scale = 1 / spread if spread > max(noise, 1e-12) else 0.0
    return Term(None, centred * scale, scale)


@dataclass(frozen=True, slots=True)
class SearchResult(Generic[S]):
    """The best setting.

    Attributes:
        setting: That of the term.
        weight: Of the term in the head's equation (α, γ).
        values: (v, N) what the weighted term adds to the logits.
    """

    setting: S
    weight: float
    values: Tensor


def search(
    base: Tensor,
    terms: Iterable[Term[S]],
    votes: Votes,
    trust: float,
    weights: Sequence[float] = WEIGHTS,
    tolerance: float = TOLERANCE,
    *,
    rest: Rest = no_rest,
) -> SearchResult[S]:
    """Find the term and weight under which the support images name themselves best.

    Of the settings that are nearly as accurate as the best, the one of the lowest smoothed
    cross-entropy wins, and the first if several are as low.

    Args:
        base: (v, N) logits that terms are added to.
        terms: At least one, from the smoothest to the sharpest.
        votes: Who votes, and what it counts.
        trust: Temperature at which the zero-shot logits are calibrated: near 1 for good class
            names, in the hundreds for meaningless ones. Weights are multiples of it, which makes
            the search the same for any logit scale and any quality of the names.
        weights: Relative weights to try.
        tolerance: Share of the votes that a setting may be behind the most accurate one.
        rest: Called every few milliseconds.

    Cost: two passes over (v, N) numbers for each term and weight, and a calibration of the
    settings that are nearly as accurate as the best: 5 to 10 passes over at most
    :data:`MAX_COMPARED` numbers of each, many settings at a time.
    """
    absolute = np.array([relative * trust for relative in weights])
    tried = list(terms)
    accuracies = _accuracies(base, [term.values for term in tried], votes, absolute, rest)
    near = accuracies >= accuracies.max() - tolerance - 1e-9
    of_terms, of_weights = near.nonzero()
    losses = _losses(
        base, [term.values for term in tried], votes, of_terms, absolute[of_weights], rest
    )
    first = int((losses <= losses.min() + LOSS_TOLERANCE).argmax())
    term, weight = tried[of_terms[first]], float(absolute[of_weights[first]])
    return SearchResult(term.setting, weight * term.scale, weight * term.values)


def _accuracies(
    base: Tensor,
    values: Sequence[Tensor],
    votes: Votes,
    weights: NDArray[Any],
    rest: Rest,
) -> NDArray[Any]:
    """(terms, weights) share of the votes that name their class; a tie is a miss."""
    targets, shares, voters = votes.targets.numpy(), votes.weights.numpy(), np.arange(len(votes))
    # A class a row: the best of the classes is then found along long rows.
    others = base.T.contiguous().numpy().copy()
    own = others[targets, voters]
    others[targets, voters] = -np.inf
    found = np.empty((len(values), len(weights)))
    step = max(_BLOCK // max(others.size, 1), 1)
    for i, of_term in enumerate(values):
        term = of_term.T.contiguous().numpy()
        of_own = term[targets, voters]
        for start in range(0, len(weights), step):
            some = weights[start : start + step].astype(term.dtype)
            added = some[:, None, None] * term
            added += others
            right = own + some[:, None] * of_own > added.max(axis=1)
            found[i, start : start + step] = right @ shares
            rest()
    return found


def _losses(
    base: Tensor,
    values: Sequence[Tensor],
    votes: Votes,
    terms: NDArray[Any],
    weights: NDArray[Any],
    rest: Rest,
) -> NDArray[Any]:
    """(S,) smoothed cross-entropies of terms and weights, each at its own best temperature."""
    compared = evenly(len(base), max(MAX_COMPARED // max(base.shape[1], 1), 50))
    targets = votes.targets[compared].numpy()
    shares = votes.weights[compared].numpy()
    shares = shares / shares.sum()
    logits = base[compared].T.numpy()
    added = np.stack([of_term[compared].T.numpy() for of_term in values])
    weights = weights.astype(added.dtype)[:, None, None]
    step = max(_BLOCK // max(logits.size, 1), 1)
    losses = []
    for start in range(0, len(terms), step):
        some = slice(start, start + step)
        of_settings = logits + weights[some] * added[terms[some]]
        losses.append(calibrated_temperatures(of_settings, targets, shares, rest)[1])
    return np.concatenate(losses)
