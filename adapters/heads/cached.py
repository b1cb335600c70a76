"""Heads that keep the support images in a cache, to vote by or to show as evidence."""

from __future__ import annotations

from typing import ClassVar, Self, TypeVar

from torch import Tensor

from adapters.cache import Cache, is_outgrown, new_cache
from adapters.cache.flat_rows import FlatRows
from adapters.change import Change
from adapters.embeddings import ImageEmbeddings, View
from adapters.heads.head import Head
from adapters.heads.term import TermHead, TermParameters
from adapters.memory import Storages

P = TypeVar("P", bound=TermParameters)


class KeyedHead(Head):
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
    _is_behind: bool

    def keys(self, embeddings: ImageEmbeddings) -> Tensor:
        """The embedding by which this head compares images."""
        return getattr(embeddings, self.view)  # type: ignore[no-any-return]

    def after(self, other: KeyedHead) -> Self:
        """Begin with the support set and the cache of another head of the same view.

        Not fitted yet: :meth:`prepared` with a tuning of this head's is to follow.
        """
        vars(self).update(classes_=other.classes_, support_=other.support_, cache_=other.cache_)
        return self

    def catch_up(self, change: Change) -> None:
        """Add and remove keys; O(m) for m images."""
        if self._is_behind:
            if change.removed is not None:
                self.cache_.remove(change.removed)
            if change.added is not None:
                added = change.added
                flat: FlatRows = getattr(self.support_, self.view)
                self.cache_.extend(added.ids, flat, added.labels)
            self._is_behind = False
        self._ask_cache()

    def _keep(self) -> None:
        support = self.support_.compact()
        keys = self.keys(support.embeddings)
        self.cache_ = new_cache(
            self.cache_settings,
            support.ids,
            keys,
            support.labels,
            int(self.present_.sum()),
            whole=self.whole,
        )
        self._is_behind = False
        self._ask_cache()

    def _make_room(self, before: Head, change: Change) -> None:
        self._is_behind = change.of_images
        moved_together = len(self.support_.ids) < len(before.support_.ids)
        if self._is_outgrown() or (moved_together and self.cache_.flat is not None):
            self._keep()

    def _ask_cache(self) -> None:
        """Ask the cache for what queries need of it, after it has changed."""

    def _derived(self) -> Storages:
        return self.cache_.storages()

    def _is_outgrown(self) -> bool:
        return not self.whole and is_outgrown(
            self.cache_,
            self.cache_settings,
            len(self.support_),
            int(self.present_.sum()),
            self.support_.corrected.rows.device,
        )


class CachedHead(KeyedHead, TermHead[P]):
    """A head with a cache, that is zero-shot logits and a term of the support images."""
