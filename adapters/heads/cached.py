"""Heads that keep the support images in a cache, to vote by or to show as evidence."""

from __future__ import annotations

from typing import ClassVar, TypeVar

from torch import Tensor

from adapters.cache import Cache, is_outgrown, new_cache
from adapters.change import Change
from adapters.embeddings import ImageEmbeddings, LabelledEmbeddings, View
from adapters.heads.term import TermHead, TermParameters
from adapters.memory import Storages

P = TypeVar("P", bound=TermParameters)


class CachedHead(TermHead[P]):
    """A head with a cache of one key an image, in one of the two embeddings.

    The cache is incremental: adding m images adds m keys, removing them takes these out.

    Attributes:
        cache_: Keeps the keys in the way that suits their number
            (:func:`adapters.cache.new_cache`).
    """

    view: ClassVar[View]
    #: Whether each key has to be compared by itself, however many there are. Where a key's vote is
    #: no more than its class's, very many may be kept by class.
    whole: ClassVar[bool] = False

    cache_: Cache

    def keys(self, embeddings: ImageEmbeddings) -> Tensor:
        """The embedding by which this head compares images."""
        return getattr(embeddings, self.view)  # type: ignore[no-any-return]

    def _refit(self, images: LabelledEmbeddings, change: Change | None) -> None:
        support, n_classes = self.support_, int(self.present_.sum())
        if change is None or self._is_outgrown(n_classes):
            keys = self.keys(support.embeddings)
            self.cache_ = new_cache(
                self.cache_settings, support.ids, keys, support.labels, n_classes, whole=self.whole
            )
            return
        if change.removed is not None:
            self.cache_.remove(change.removed)
        if change.added is not None:
            added = change.added
            self.cache_.add(added.ids, self.keys(added.embeddings), added.labels)

    def _derived(self) -> Storages:
        return self.cache_.storages()

    def _is_outgrown(self, n_classes: int) -> bool:
        device = self.support_.embeddings.corrected.device
        return not self.whole and is_outgrown(
            self.cache_, self.cache_settings, len(self.support_), n_classes, device
        )
