"""The contract that every training-free head keeps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import Tensor

from adapters.cache import Matches
from adapters.change import Change
from adapters.embeddings import ClassSet, ImageEmbeddings, SupportSet
from adapters.tuning.tuning import Tuning


@dataclass(frozen=True, slots=True)
class Scores:
    """What a head says of n queries over N classes, term by term.

    Attributes:
        zero_shot: (n, N) scaled cosine similarity with the class texts; zeros without texts.
        cache: (n, N) what the support images add; zeros where there are none.
        matches: The support images that are nearest, best first.
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

    ``fit`` stores the classes and the support set, ``update`` changes what is stored, and
    ``tune`` says which hyperparameters a support set asks for. ``tune`` changes nothing, so
    that it can run while the head goes on answering. A head is not safe for concurrent change.

    Attributes:
        classes_: The classes, in the order of the columns.
        support_: The support set.
        tuning_: Hyperparameters and temperature.
        present_: (N,) bool, the classes that have images.
    """

    #: Whether there is nothing to answer with unless class names carry meaning.
    needs_names: ClassVar[bool] = False

    classes_: ClassSet
    support_: SupportSet
    tuning_: Tuning
    present_: Tensor

    def __init__(self, logit_scale: float = 100.0) -> None:
        self.logit_scale = logit_scale

    def fit(self, classes: ClassSet, support: SupportSet, tuning: Tuning | None = None) -> Self:
        """Store classes and support; tune on the support where no ``tuning`` is given."""
        self._store(classes, support, tuning or self.tune(classes, support), None)
        return self

    def update(self, change: Change) -> None:
        """Change what is stored.

        Raises:
            KeyError: An identifier in ``removed`` is not stored, or an image's class is not among
                the classes; nothing is changed then.
            ValueError: An identifier in ``added`` is taken; nothing is changed then.
        """
        added, removed = change.added, change.removed
        if removed is not None and not bool(torch.isin(removed, self.support_.ids).all()):
            raise KeyError("not in the support set")
        support = self.support_
        if removed is not None:
            support = support.without(removed)
        if added is not None:
            if bool(torch.isin(added.ids, support.ids).any()):
                raise ValueError("an identifier is already in the support set")
            support = support.with_added(added)
        classes = self.classes_ if change.classes is None else change.classes
        classes.columns(support.labels)
        self._store(classes, support, change.tuning or self.tuning_, change)

    def add(self, support: SupportSet) -> None:
        """Add images to the support set, leaving the tuning as it is."""
        self.update(Change(added=support))

    def remove(self, ids: Tensor) -> None:
        """Remove images from the support set by identifier, leaving the tuning as it is."""
        self.update(Change(removed=ids))

    def probabilities(self, logits: Tensor) -> Tensor:
        """(n, N) softmax of the logits at the tuned temperature; rows sum to one."""
        return (logits / self.tuning_.temperature).softmax(dim=-1)

    @abstractmethod
    def tune(self, classes: ClassSet, support: SupportSet) -> Tuning:
        """Choose hyperparameters and temperature from the support images alone."""

    @abstractmethod
    def score(self, queries: ImageEmbeddings, n_matches: int | None = None) -> Scores:
        """Score n queries against the N classes.

        Args:
            queries: Both embeddings of the queries.
            n_matches: How many of the nearest support images to name; all if None.
        """

    @abstractmethod
    def left_out(self, classes: ClassSet, support: SupportSet, tuning: Tuning) -> Tensor:
        """(n, N) logits of the support images, each without its own image.

        The left-out image's class is judged by the images that it keeps; a class that keeps
        none is treated like one without images. Costs about as much as ``score``.
        """

    def _store(
        self, classes: ClassSet, support: SupportSet, tuning: Tuning, change: Change | None
    ) -> None:
        self.classes_, self.support_, self.tuning_ = classes, support, tuning
        self.present_ = classes.have_images(support.labels)
        self._all_present = bool(self.present_.all())
        self._refit(change)

    @abstractmethod
    def _refit(self, change: Change | None) -> None:
        """Bring what is derived up to date with ``classes_``, ``support_`` and ``tuning_``.

        ``change`` says what became of the support set since the last time, for what can follow
        it; None: all of it is new.
        """
