"""The contract that every training-free head keeps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Self

from torch import Tensor

from adapters.cache import DEFAULT_SETTINGS, CacheSettings, Matches
from adapters.change import Change
from adapters.embeddings import ClassSet, ImageEmbeddings, LabelledEmbeddings, SupportSet
from adapters.memory import Storages, storages
from adapters.rest import Rest, no_rest
from adapters.tuning.tuning import Parameters, Tuning


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

    Args:
        logit_scale: The backbone's.
        cache: How the support images are kept, if the head has a cache.

    Attributes:
        classes_: The classes, in the order of the columns.
        support_: The support set.
        tuning_: Hyperparameters and temperature.
        present_: (N,) bool, the classes that have images.
    """

    #: Whether there is nothing to answer with unless class names carry meaning.
    needs_names: ClassVar[bool] = False
    #: What a tuning of this head holds.
    parameters: ClassVar[type[Parameters]] = Parameters

    classes_: ClassSet
    support_: SupportSet
    tuning_: Tuning
    present_: Tensor

    def __init__(self, logit_scale: float = 100.0, cache: CacheSettings = DEFAULT_SETTINGS) -> None:
        self.logit_scale = logit_scale
        self.cache_settings = cache

    def fit(
        self,
        classes: ClassSet,
        support: SupportSet,
        tuning: Tuning | None = None,
        images: LabelledEmbeddings | None = None,
    ) -> Self:
        """Store classes and support; tune on the support where no ``tuning`` is given.

        Args:
            classes: The classes.
            support: The support set.
            tuning: Hyperparameters and temperature.
            images: ``support.labelled``, from who has use for the spans that are found meanwhile.
        """
        images = support.labelled if images is None else images
        self._store(classes, support, images, tuning or self.tune(classes, images), None)
        return self

    def update(self, change: Change) -> LabelledEmbeddings:
        """Change what is stored.

        Returns:
            The images of the support set after the change, with the spans that were found.

        Raises:
            KeyError: An identifier in ``removed`` is not stored, or an image's class is not among
                the classes; nothing is changed then.
            ValueError: An identifier in ``added`` is taken; nothing is changed then.
        """
        support = change.applied_to(self.support_)
        images = support.labelled
        classes = self.classes_ if change.classes is None else change.classes
        classes.columns(support.labels)
        self._store(classes, support, images, change.tuning or self.tuning_, change)
        return images

    def probabilities(self, logits: Tensor) -> Tensor:
        """(n, N) softmax of the logits at the tuned temperature; rows sum to one."""
        return (logits / self.tuning_.temperature).softmax(dim=-1)

    @abstractmethod
    def tune(
        self, classes: ClassSet, images: LabelledEmbeddings, *, rest: Rest = no_rest
    ) -> Tuning:
        """Choose hyperparameters and temperature from the support images alone.

        Args:
            classes: The classes.
            images: The support images.
            rest: Called every few milliseconds.
        """

    @abstractmethod
    def score(self, queries: ImageEmbeddings, n_matches: int | None = None) -> Scores:
        """Score n queries against the N classes.

        Args:
            queries: Both embeddings of the queries.
            n_matches: How many of the nearest support images to name; all if None.
        """

    @abstractmethod
    def left_out(
        self,
        classes: ClassSet,
        images: LabelledEmbeddings,
        tuning: Tuning,
        rows: Tensor | None = None,
        *,
        rest: Rest = no_rest,
    ) -> Tensor:
        """(m, N) logits of support images, each without its own image.

        The left-out image's class is judged by the images that it keeps; a class that keeps
        none is treated like one without images. Costs about as much as ``score``.

        Args:
            classes: The classes.
            images: The support images.
            tuning: Hyperparameters.
            rows: (m,) the images that are asked for; all if None.
            rest: Called every few milliseconds.
        """

    def storages(self) -> Storages:
        """What it holds in memory: the classes, the support set, and what is derived from them."""
        return {
            **self.classes_.storages(),
            **self.support_.storages(),
            **storages(self.present_),
            **self._derived(),
        }

    def _store(
        self,
        classes: ClassSet,
        support: SupportSet,
        images: LabelledEmbeddings,
        tuning: Tuning,
        change: Change | None,
    ) -> None:
        self.classes_, self.support_, self.tuning_ = classes, support, tuning
        self.present_ = classes.have_images(support.labels)
        self._all_present = bool(self.present_.all())
        self._refit(images, change)

    @abstractmethod
    def _refit(self, images: LabelledEmbeddings, change: Change | None) -> None:
        """Bring what is derived up to date with ``classes_``, ``support_`` and ``tuning_``.

        Args:
            images: Those of ``support_``, with the spans that somebody asked for already.
            change: What became of the support set since the last time, for what can follow it;
                None: all of it is new.
        """

    @abstractmethod
    def _derived(self) -> Storages:
        """What :meth:`_refit` has made, in memory."""
