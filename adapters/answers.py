"""What a classifier says of queries, and a change of one that is ready to be applied."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from adapters.change import Change
from adapters.embeddings import SupportSet
from adapters.familiarity import Familiarity, Fitting
from adapters.heads import Head, Scores, Tuning


@dataclass(frozen=True, slots=True)
class Prepared:
    """A change, with all that is costly about it computed already: to be applied at once.

    Attributes:
        change: What becomes of the support set.
        head: The head after it, which has to catch up with its cache.
        ood: The out-of-distribution score after it.
        negatives: The explicit negatives after it.
    """

    change: Change
    head: Head
    ood: Familiarity
    negatives: SupportSet | None


@dataclass(frozen=True, slots=True)
class Tuned:
    """What leave-one-out sets, and what it has found of the images on the way.

    Attributes:
        tuning: Hyperparameters, temperature and thresholds.
        found: For whoever fits to the same images.
    """

    tuning: Tuning
    found: Fitting


@dataclass(frozen=True, slots=True)
class Several:
    """Which labels n queries are given, where images may have several.

    Attributes:
        labels: (n, N) bool: the classes at or above their thresholds.
        thresholds: (N,) probabilities from which on a label is given.
    """

    labels: Tensor
    thresholds: Tensor


@dataclass(frozen=True, slots=True)
class Answers:
    """What a classifier says of n queries over N classes.

    Attributes:
        scores: The terms of the logits, and the nearest support images.
        probabilities: (n, N), rows sum to one; where images may have several labels, each is of
            its class alone.
        ood_scores: (n,) out-of-distribution scores, lower for what is like no class; None where
            no class has two images.
        p_values: (n,) float64: the share of left-out support images that are no more familiar
            (:meth:`adapters.tuning.left_out_scores.LeftOutScores.p_values`), NaN where there is
            no evidence: for classes without images. None where there are too few images to tell.
        known: (n,) bool: whether the query belongs to any of the classes: whether its p-value is
            above the false-rejection rate. Where no class has two images: whether it is nearer to
            some class than to the explicit negatives. Always true where there is no evidence.
        prediction_sets: (n, N) bool: classes that, together, hold the true one as often as was
            asked; None where no coverage was asked for.
        several: Of images that may have several labels; None where each has one.
    """

    scores: Scores
    probabilities: Tensor
    ood_scores: Tensor | None
    p_values: Tensor | None
    known: Tensor
    prediction_sets: Tensor | None
    several: Several | None = None
