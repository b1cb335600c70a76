"""The contract that every training-free head keeps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Self

from torch import Tensor

from adapters.cache import Matches
from adapters.embeddings import ClassSet, ImageEmbeddings, SupportSet
from adapters.tuning.tuning import Tuning


@dataclass(frozen=True, slots=True)
class Scores:
    """What a head says of n queries over N classes, term by term.

    Attributes:
        zero_shot: (n, N) scaled cosine similarity with the class texts; zeros without texts.
        cache: (n, N) what the support images add; zeros where there are none.
        matches: The support images that were looked at, nearest first; none where the head
            does not compare images.
    """

    zero_shot: Tensor
    cache: Tensor
    matches: Matches

    @property
    def logits(self) -> Tensor:
        """(n, N) logits: the sum of the terms."""
        return self.zero_shot + self.cache


class Head(ABC):
    """A classifier that is fitted by storing, never by gradient descent.

    ``fit`` stores the classes and the support set; ``add``, ``remove`` and ``set_classes``
    change what is stored without touching the rest; ``tune`` says which hyperparameters a
    support set asks for and ``set_tuning`` takes them over. ``tune`` changes nothing, so that
    it can run while the head goes on answering. A head is not safe for concurrent change.
    """

    uses_images: ClassVar[bool]

    classes_: ClassSet
    tuning_: Tuning

    def __init__(self, logit_scale: float = 100.0) -> None:
        self.logit_scale = logit_scale

    def fit(self, classes: ClassSet, support: SupportSet, tuning: Tuning | None = None) -> Self:
        """Store classes and support; tune on the support where no ``tuning`` is given."""
        self.set_classes(classes)
        self.store(support)
        self.set_tuning(tuning or self.tune(classes, support))
        return self

    def set_classes(self, classes: ClassSet) -> None:
        """Replace the classes. Classes that keep images must stay among them."""
        self.classes_ = classes

    def set_tuning(self, tuning: Tuning) -> None:
        """Take over hyperparameters and temperature."""
        self.tuning_ = tuning

    @abstractmethod
    def store(self, support: SupportSet) -> None:
        """Replace all that is stored of the support set."""

    @abstractmethod
    def add(self, support: SupportSet) -> None:
        """Add images to the support set."""

    @abstractmethod
    def remove(self, ids: Tensor) -> None:
        """Remove images from the support set by identifier."""

    @abstractmethod
    def tune(self, classes: ClassSet, support: SupportSet) -> Tuning:
        """Choose hyperparameters from the support images alone."""

    @abstractmethod
    def score(self, queries: ImageEmbeddings) -> Scores:
        """Score n queries against the N classes."""

    def probabilities(self, scores: Scores) -> Tensor:
        """(n, N) softmax of the logits at the tuned temperature; rows sum to one."""
        return (scores.logits / self.tuning_.temperature).softmax(dim=-1)
