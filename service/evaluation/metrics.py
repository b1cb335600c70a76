"""Metrics of predictions for queries whose true classes are known.

Accuracy, expected calibration error, cross-entropy, coverage of prediction sets, and AUROC of
out-of-distribution detection.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torchmetrics.functional.classification import binary_auroc, binary_calibration_error

from service.evaluation.batched_answers import Predictions

#: Equal intervals of the confidence between 0 and 1, for the calibration error and its plot.
BINS = 15


@dataclass(frozen=True, slots=True)
class Metrics:
    """Metrics of one head on the queries of one draw; None: cannot be computed.

    All but ``cross_entropy`` and ``set_size`` are fractions.

    Attributes:
        accuracy: Share of the queries whose most probable class is the true one.
        ece: Expected calibration error, :func:`calibration_error`.
        cross_entropy: In nats, :func:`cross_entropy`.
        coverage: Share of the queries whose true class is in the prediction set.
        set_size: Mean number of classes in the prediction set.
        auroc: Area under the ROC curve: how well familiarity tells these queries from those of
            held-out classes.
        rejected_known: Share of these queries that was called unknown.
        rejected_unknown: Share of the queries of held-out classes that was called unknown.
    """

    accuracy: float
    ece: float
    cross_entropy: float
    coverage: float | None
    set_size: float | None
    auroc: float | None
    rejected_known: float | None
    rejected_unknown: float | None


def compute_metrics(
    predictions: Predictions, truth: Tensor, unknown: Predictions | None = None
) -> Metrics:
    """Metrics of the predictions for n queries.

    Args:
        predictions: For queries of the classes.
        truth: (n,) int64 columns of their classes.
        unknown: Predictions for queries of held-out classes, if there are any.
    """
    confidence, best = predictions.probabilities.max(dim=1)
    correct = best == truth
    coverage = set_size = area = rejected_known = rejected_unknown = None
    if predictions.prediction_sets is not None:
        coverage = _share(predictions.prediction_sets.gather(1, truth.unsqueeze(1)))
        set_size = float(predictions.prediction_sets.sum(dim=1).double().mean())
    # Without familiarity nothing is judged: that nothing is rejected then is no measurement.
    if predictions.familiarity is not None:
        rejected_known = _share(~predictions.known)
        if unknown is not None and unknown.familiarity is not None:
            rejected_unknown = _share(~unknown.known)
            area = auroc(predictions.familiarity, unknown.familiarity)
    return Metrics(
        _share(correct),
        calibration_error(confidence, correct),
        cross_entropy(predictions.probabilities, truth),
        coverage,
        set_size,
        area,
        rejected_known,
        rejected_unknown,
    )


def _share(held: Tensor) -> float:
    return float(held.double().mean())


def calibration_error(confidence: Tensor, correct: Tensor) -> float:
    """Expected calibration error (Guo et al., ICML 2017) with 15 bins of equal width.

    How far accuracy and mean confidence are apart in a query's bin, on the mean of the queries.
    The same as torchmetrics' ``MulticlassCalibrationError(n_bins=15, norm="l1")`` of the
    probabilities; from the confidences, several draws can be measured together.

    Args:
        confidence: (n,) largest probability of each query.
        correct: (n,) bool: whether the most probable class is the true one.
    """
    return float(binary_calibration_error(confidence, correct.long(), n_bins=BINS, norm="l1"))


def cross_entropy(probabilities: Tensor, truth: Tensor) -> float:
    """Cross-entropy (logarithmic score; Good, 1952) in nats: mean of −ln p of the true class.

    A probability of 0 counts as the smallest normal number of its type, so that the mean is finite.

    Args:
        probabilities: (n, N).
        truth: (n,) int64 columns of the true classes.
    """
    own = probabilities.gather(1, truth.unsqueeze(1))
    return float(-own.clamp_min(torch.finfo(own.dtype).tiny).double().log().mean())


def auroc(known: Tensor, unknown: Tensor) -> float:
    """AUROC of out-of-distribution detection (Hendrycks & Gimpel, ICLR 2017).

    How often a query of the classes is more familiar than one of no class.

    Args:
        known: (n,) familiarity of queries of the classes.
        unknown: (m,) familiarity of queries of classes that were held out.
    """
    target = torch.cat([torch.ones(len(known)), torch.zeros(len(unknown))]).long()
    scores = torch.cat([known, unknown])
    # torchmetrics squashes scores outside [0, 1], which makes ties of large ones; their ranks
    # have the same order, and the same ties.
    ranks = torch.unique(scores, return_inverse=True)[1]
    return float(binary_auroc(ranks.double() / max(int(ranks.max()), 1), target))
