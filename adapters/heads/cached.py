"""Heads that keep the support images in a cache, to vote by or to show as evidence."""

from __future__ import annotations

import logging
from typing import ClassVar, Literal

import torch
from torch import Tensor

from adapters.cache import Cache, GpuCache, KeyValueCache, PartitionedCache, cache_settings
from adapters.cache.on_gpu import ON_GPU_FROM
from adapters.change import Change
from adapters.embeddings import ImageEmbeddings
from adapters.heads.term import TermHead

logger = logging.getLogger("handful.cache")

View = Literal["frozen", "corrected"]


class CachedHead(TermHead):
    """A head with a cache of one key an image, in one of the two embeddings.

    The cache is incremental: adding m images adds m keys, removing them takes these out.

    Attributes:
        cache_: Compares queries with all keys, or, of very many
            (:class:`adapters.cache.CacheSettings`), with those that matter. Of many keys a GPU,
            where there is one, compares them with all.
    """

    view: ClassVar[View]
    #: Whether very many keys may be kept by class. A key's vote is then no more than its class's.
    partitions: ClassVar[bool] = True

    cache_: Cache

    def keys(self, embeddings: ImageEmbeddings) -> Tensor:
        """The embedding by which this head compares images."""
        return getattr(embeddings, self.view)  # type: ignore[no-any-return]

    def _refit(self, change: Change | None) -> None:
        if change is None or self._outgrown():
            self.cache_ = self._new_cache()
            return
        if change.removed is not None:
            self.cache_.remove(change.removed)
        if change.added is not None:
            added = change.added
            self.cache_.add(added.ids, self.keys(added.embeddings), added.labels)

    def _outgrown(self) -> bool:
        more = self._has_very_many() or self._gpu() is not None
        return isinstance(self.cache_, KeyValueCache) and more

    def _gpu(self) -> torch.device | None:
        """Where the keys should be, if they are enough for a GPU and there is one."""
        enough = self.partitions and len(self.support_) >= ON_GPU_FROM
        return cache_settings().gpu if enough else None

    def _has_very_many(self) -> bool:
        # A GPU reads millions of keys in the time in which a processor reads thousands.
        on_cpu = self.support_.embeddings.corrected.device.type == "cpu"
        settings, n = cache_settings(), len(self.support_)
        enough = n > max(settings.exact_up_to, settings.per_class * int(self.present_.sum()))
        return self.partitions and on_cpu and enough

    def _new_cache(self) -> Cache:
        support = self.support_
        keys = self.keys(support.embeddings)
        if (gpu := self._gpu()) is not None:
            try:
                return GpuCache(gpu, support.ids, keys, support.labels)
            except torch.OutOfMemoryError:
                logger.warning("the GPU has no room for %d keys", len(keys))
        if self._has_very_many():
            storage = cache_settings().storage
            return PartitionedCache(storage, support.ids, keys, support.labels)
        cache = KeyValueCache(keys.shape[1])
        cache.add(support.ids, keys, support.labels)
        return cache
