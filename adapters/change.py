"""One change of a support set, as a value that every floor accepts."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from adapters.embeddings import ClassSet, SupportSet
from adapters.tuning.tuning import Tuning


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What becomes of a support set; what is left out stays as it is.

    Attributes:
        classes: All classes from now on. Classes that keep images must be among them.
        tuning: Hyperparameters, temperature and thresholds from now on.
        added: Support images to add, none of them stored already.
        removed: (n,) int64 identifiers of support images to remove, before any is added.
        negatives: All explicit negatives from now on; they are not of the support set.
    """

    classes: ClassSet | None = None
    tuning: Tuning | None = None
    added: SupportSet | None = None
    removed: Tensor | None = None
    negatives: SupportSet | None = None

    @property
    def of_images(self) -> bool:
        """Whether images come or go."""
        return self.added is not None or self.removed is not None
