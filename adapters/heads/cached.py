"""Heads that keep the support images in a cache, to vote by or to show as evidence."""

from __future__ import annotations

from typing import ClassVar, Literal

from torch import Tensor

from adapters.cache import KeyValueCache
from adapters.embeddings import ImageEmbeddings
from adapters.heads.head import Change
from adapters.heads.term import TermHead

View = Literal["frozen", "corrected"]


class CachedHead(TermHead):
    """A head with a cache of one key an image, in one of the two embeddings.

    The cache is incremental: adding m images adds m keys, removing them takes these out.
    """

    view: ClassVar[View]

    cache_: KeyValueCache

    def keys(self, embeddings: ImageEmbeddings) -> Tensor:
        """The embedding by which this head compares images."""
        return getattr(embeddings, self.view)  # type: ignore[no-any-return]

    def _refit(self, change: Change | None) -> None:
        if change is None:
            self.cache_ = KeyValueCache(self.keys(self.support_.embeddings).shape[1])
            change = Change(added=self.support_)
        if change.removed is not None:
            self.cache_.remove(change.removed)
        if change.added is not None:
            added = change.added
            self.cache_.add(added.ids, self.keys(added.embeddings), added.labels)
