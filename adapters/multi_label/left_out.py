"""What images with several labels say of each other, each left out."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True)
class LeftOutImages:
    """Leave-one-out of m images over N classes: each is judged by the others.

    Attributes:
        targets: (m, N) bool: which classes each shows; none, for an explicit negative.
        probabilities: (m, N).
        thresholds: (N,) probabilities from which on a label is given.
        judged: (N,) bool: classes that keep an image when one is left out.
        shots: (N,) int64 images of each class, those that were not left out among them.
        n_images: All images with a label.
        n_negatives: All images without one.
    """

    targets: Tensor
    probabilities: Tensor
    thresholds: Tensor
    judged: Tensor
    shots: Tensor
    n_images: int
    n_negatives: int

    @property
    def given(self) -> Tensor:
        """(m, N) bool: the labels that each is given by the others."""
        return self.probabilities >= self.thresholds

    @property
    def n_labels(self) -> int:
        """Labels of all images together."""
        return int(self.shots.sum())
