"""Hyperparameter search: every setting of a grid is scored on leave-one-out votes.

What a head adds to other logits is one or several *terms* with a weight (α, γ). The terms come
with their own image left out already (by masking, or in closed form), so a setting costs a
weighted sum and a comparison: nothing is refitted per image or per setting.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor

from adapters.tuning.temperature import calibrated_temperature, smoothed_loss
from adapters.tuning.votes import Votes, evenly

# Weights of a term, in units of the trust in the class names times the term's own unit.
WEIGHTS = tuple(2.0**k for k in range(-3, 13))
# Share of the votes that a setting may be behind the most accurate one: less is chance.
TOLERANCE = 0.02
# Cross-entropies that differ by less are the same: the last digits of embeddings must not decide.
LOSS_TOLERANCE = 2e-3
# Numbers in the logits by which settings that hit alike are compared; bounds the time of ties.
MAX_COMPARED = 50_000


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

    Where the classes differ by no more than rounding (a single class, images all alike) the term
    stays small instead of being blown up.
    """
    centred = values - values.mean(dim=1, keepdim=True)
    noise = 1e-5 * float(values.abs().max())
    scale = 1 / max(float(centred.std()), noise, 1e-12)
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

    Cost: two passes over (v, N) numbers for each term and weight, and a calibration of each of
    the settings that are nearly as accurate as the best.
    """
    own = votes.targets.unsqueeze(1)
    base_own, base_others = base.gather(1, own), base.scatter(1, own, -torch.inf)
    scored: list[tuple[float, float, Term[S]]] = []
    for term in terms:
        term_own = term.values.gather(1, own)
        for weight in (relative * trust for relative in weights):
            others = torch.add(base_others, term.values, alpha=weight).amax(dim=1, keepdim=True)
            right = (base_own + weight * term_own > others).squeeze(1)
            scored.append((float(torch.dot(right.double(), votes.weights)), weight, term))
    most = max(accuracy for accuracy, *_ in scored)
    best = [
        (weight, term) for accuracy, weight, term in scored if accuracy >= most - tolerance - 1e-9
    ]
    compared = evenly(len(base), max(MAX_COMPARED // max(base.shape[1], 1), 50))
    losses = [
        _loss(base[compared] + weight * term.values[compared], votes, compared)
        for weight, term in best
    ]
    enough = min(losses) + LOSS_TOLERANCE
    weight, term = next(one for loss, one in zip(losses, best, strict=True) if loss <= enough)
    return SearchResult(term.setting, weight * term.scale, weight * term.values)


def _loss(logits: Tensor, votes: Votes, rows: Tensor) -> float:
    targets, weights = votes.targets[rows], votes.weights[rows]
    weights = weights / weights.sum()
    temperature = calibrated_temperature(logits, targets, 0.05, weights)
    return smoothed_loss(logits, targets, temperature, weights)
