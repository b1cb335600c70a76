"""Whether probabilities mean what they say: confidence against the share of right answers."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

#: Equal intervals of the confidence between 0 and 1. Few, for the few hundred votes of a report.
BINS = 10


@dataclass(frozen=True, slots=True)
class Calibration:
    """Answers counted by their confidence, in ``BINS`` equal intervals.

    Attributes:
        counts: (BINS,) int64 answers in each; a confidence of 1 is in the last one.
        confidence: (BINS,) float64 their mean confidence; nan where there are none.
        accuracy: (BINS,) float64 share of them that is right; nan where there are none.
    """

    counts: Tensor
    confidence: Tensor
    accuracy: Tensor

    @classmethod
    def of(cls, confidence: Tensor, correct: Tensor) -> Calibration:
        """Count n answers.

        Args:
            confidence: (n,) probability of each answer.
            correct: (n,) bool.
        """
        at = (confidence * BINS).long().clamp(max=BINS - 1)
        counts = torch.bincount(at, minlength=BINS)
        sums = [
            torch.bincount(at, values.double(), minlength=BINS) for values in (confidence, correct)
        ]
        return cls(counts, sums[0] / counts, sums[1] / counts)

    @property
    def error(self) -> float:
        """Expected calibration error: distance of confidence and accuracy, mean over answers.

        nan without answers.
        """
        distance = (self.confidence - self.accuracy).abs().nan_to_num()
        return float((distance * self.counts).sum() / self.counts.sum())
