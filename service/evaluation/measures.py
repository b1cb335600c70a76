"""What is measured of the answers to queries whose classes are known to the measurer."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torchmetrics.functional.classification import binary_auroc, binary_calibration_error

from service.evaluation.answering import Answered

#: Equal intervals of the confidence between 0 and 1, for the calibration error and its plot.
BINS = 15


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured on the queries of the classes, as fractions; None: cannot be.

    Attributes:
        accuracy: Share of the queries whose most probable class is the true one.
        ece: Expected calibration error, :func:`calibration_error`.
        coverage: Share of the queries whose true class is in the prediction set.
        set_size: Mean number of classes in the prediction set.
        auroc: How well familiarity tells these queries from those of held-out classes.
        rejected_known: Share of these queries that was called unknown.
        rejected_unknown: Share of the queries of held-out classes that was called unknown.
    """

    accuracy: float
    ece: float
    coverage: float | None
    set_size: float | None
    auroc: float | None
    rejected_known: float | None
    rejected_unknown: float | None


def measure(answers: Answered, truth: Tensor, unknown: Answered | None = None) -> Measured:
    """Measure the answers to n queries.

    Args:
        answers: To queries of the classes.
        truth: (n,) int64 columns of their classes.
        unknown: Answers to queries of held-out classes, if there are any.
    """
    confidence, best = answers.probabilities.max(dim=1)
    correct = best == truth
    coverage = set_size = auroc = rejected_known = rejected_unknown = None
    if answers.prediction_sets is not None:
        coverage = _share(answers.prediction_sets.gather(1, truth.unsqueeze(1)))
        set_size = float(answers.prediction_sets.sum(dim=1).double().mean())
    # Without familiarity nothing is judged: that nothing is rejected then is no measurement.
    if answers.familiarity is not None:
        rejected_known = _share(~answers.known)
        if unknown is not None and unknown.familiarity is not None:
            rejected_unknown = _share(~unknown.known)
            auroc = separation(answers.familiarity, unknown.familiarity)
    return Measured(
        _share(correct),
        calibration_error(confidence, correct),
        coverage,
        set_size,
        auroc,
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


def separation(known: Tensor, unknown: Tensor) -> float:
    """AUROC: how often a query of the classes is more familiar than one of no class.

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
