"""The contract that every training-free head keeps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from copy import copy
from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import Tensor

from adapters.cache import DEFAULT_SETTINGS, CacheSettings, Matches
from adapters.change import Change
from adapters.embeddings import ClassSet, ImageEmbeddings, LabelledEmbeddings, SupportSet
from adapters.growing_support import GrowingSupport
from adapters.memory import Storages, storages
from adapters.rest import Rest, no_rest
from adapters.tuning.tuning import Parameters, Tuning

#: Images from which on what is fitted follows a change; of fewer it is fitted anew as quickly.
FOLLOWED_FROM = 64


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
    that it can run while the head goes on answering, and so does ``prepared``, which is all of an
    update that takes time. A head is not safe for concurrent change.

    Args:
        logit_scale: The backbone's.
        cache: How the support images are kept, if the head has a cache.

    Attributes:
        classes_: The classes, in the order of the columns.
        support_: The support set.
        tuning_: Hyperparameters and temperature.
        shots_: (N,) int64 images of each class.
        present_: (N,) bool, the classes that have images.
    """

    #: Whether there is nothing to answer with unless class names carry meaning.
    needs_names: ClassVar[bool] = False
    #: What a tuning of this head holds.
    parameters: ClassVar[type[Parameters]] = Parameters

    classes_: ClassSet
    support_: GrowingSupport
    tuning_: Tuning
    shots_: Tensor
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
        self._place(classes, GrowingSupport.of(support), tuning or self.tune(classes, images))
        self._fit(images)
        self._keep()
        return self

    def update(self, change: Change) -> None:
        """Change what is stored.

        Raises:
            KeyError: An identifier in ``removed`` is not stored, or an image's class is not among
                the classes; nothing is changed then.
            ValueError: An identifier in ``added`` is taken; nothing is changed then.
        """
        after = self.prepared(change)
        after.catch_up(change)
        vars(self).update(vars(after))

    def prepared(
        self,
        change: Change,
        support: GrowingSupport | None = None,
        images: LabelledEmbeddings | None = None,
    ) -> Self:
        """The head after a change, which answers once it has caught up; this one goes on as it is.

        Costs as much as the head's docstring says of an update; with another tuning, a fit.

        Args:
            change: What becomes of the support set.
            support: The support set after it, from who has it.
            images: Those of ``support``, from who has use for the spans that are found meanwhile.
                With them, what is fitted is fitted anew whatever the change.

        Raises as :meth:`update`.
        """
        support = self.support_.changed(change) if support is None else support
        classes = self.classes_ if change.classes is None else change.classes
        after = copy(self)
        after._place(classes, support, change.tuning or self.tuning_)
        if images is not None:
            after._fit(images)
        elif change.tuning is not None or len(support) < FOLLOWED_FROM:
            after._fit_anew()
        else:
            after._follow(self, change)
        after._make_room(self, change)
        return after

    def catch_up(self, change: Change) -> None:  # noqa: B027 - not every head has a cache
        """Bring what is shared with the head before the change up to date; costs microseconds.

        That one is not to be asked any more.
        """

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
            **storages(self.present_, self.shots_),
            **self._derived(),
        }

    def _place(self, classes: ClassSet, support: GrowingSupport, tuning: Tuning) -> None:
        columns = classes.columns(support.present_labels())
        self.classes_, self.support_, self.tuning_ = classes, support, tuning
        self.shots_ = torch.bincount(columns, minlength=len(classes))
        self.present_ = self.shots_ > 0
        self._all_present = bool(self.present_.all())

    @abstractmethod
    def _fit(self, images: LabelledEmbeddings) -> None:
        """Fit what is derived from ``classes_``, ``support_`` and ``tuning_``, but for a cache.

        Args:
            images: Those of ``support_``, with the spans that somebody asked for already.
        """

    def _follow(self, before: Head, change: Change) -> None:
        """Bring what is derived up to date with what became of the support set; fits it anew.

        Args:
            before: The head before the change, which is not to be changed.
            change: What became of it; hyperparameters are the same.
        """
        self._fit_anew()

    def _fit_anew(self) -> None:
        """Fit to the support set as it is; copies it where images are gone."""
        self._fit(self.support_.compact().labelled)

    def _keep(self) -> None:  # noqa: B027
        """Make the cache, of a head that has one."""

    def _make_room(self, before: Head, change: Change) -> None:  # noqa: B027
        """Make another cache where that of the head before the change would not do after it."""

    @abstractmethod
    def _derived(self) -> Storages:
        """What :meth:`_fit` and :meth:`_keep` have made, in memory."""
