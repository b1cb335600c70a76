"""Heads whose term is one linear score a class, beside a cache that names the evidence."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, TypeVar

from torch import Tensor

from adapters.cache import Matches
from adapters.embeddings import ClassSet, ImageEmbeddings, LabelledEmbeddings
from adapters.heads.cached import CachedHead
from adapters.heads.term import TermParameters
from adapters.memory import Storages
from adapters.rest import Rest
from adapters.tuning.tuning import Tuning

P = TypeVar("P", bound=TermParameters)


class DiscriminantHead(CachedHead[P]):
    """A head with a score for each class that has images; a query costs O(N · d) and the evidence.

    A subclass says what the scores are, and how they follow images that come and go.
    """

    def share(self, other: DiscriminantHead[Any], tuning: Tuning) -> None:
        """Be of the classes and the support set of another head, whose cache it does without."""
        self.classes_, self.support_, self.tuning_ = other.classes_, other.support_, tuning
        self.shots_, self.present_ = other.shots_, other.present_
        self._all_present = other._all_present

    def _term(
        self, queries: ImageEmbeddings, zero_shot: Tensor, n_matches: int | None
    ) -> tuple[Tensor, Matches]:
        keys = self.keys(queries)
        return self._of_all(self._scores(keys)), self.cache_.nearest(keys, n_matches)

    def _of_all(self, scores: Tensor) -> Tensor:
        """(n, N) of scores of the classes that have images; zeros for the others."""
        if self._all_present:
            return scores
        term = scores.new_zeros(len(scores), len(self.classes_))
        term[:, self.present_] = scores
        return term

    def _left_out_term(
        self,
        classes: ClassSet,
        images: LabelledEmbeddings,
        parameters: P,
        rows: Tensor,
        rest: Rest,
    ) -> Tensor:
        known = classes.with_images(images.labels)
        scores = self._left_out_scores(known, images, parameters, rows, rest)
        term = scores.new_zeros(len(scores), len(classes))
        term[:, classes.have_images(images.labels)] = scores
        return term

    @abstractmethod
    def _left_out_scores(
        self,
        known: ClassSet,
        images: LabelledEmbeddings,
        parameters: P,
        rows: Tensor,
        rest: Rest,
    ) -> Tensor:
        """(m, P) weighted scores of (m,) support images for the P known classes, each left out."""

    @abstractmethod
    def _scores(self, keys: Tensor) -> Tensor:
        """(n, P) weighted scores of (n, d) embeddings for the P classes that have images."""

    def _derived(self) -> Storages:
        return {**super()._derived(), **self.fitted()}

    @abstractmethod
    def fitted(self) -> Storages:
        """What is fitted, in memory; without the cache."""
