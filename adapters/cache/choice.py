"""Which kind of cache keeps so many keys."""

from __future__ import annotations

import logging

import torch
from torch import Tensor

from adapters.cache.cache import Cache
from adapters.cache.exact import KeyValueCache
from adapters.cache.on_gpu import ON_GPU_FROM, GpuCache
from adapters.cache.partitioned import PartitionedCache
from adapters.cache.settings import CacheSettings

logger = logging.getLogger("handful.cache")


def new_cache(
    settings: CacheSettings,
    ids: Tensor,
    keys: Tensor,
    labels: Tensor,
    n_classes: int,
    *,
    whole: bool = False,
) -> Cache:
    """Make the cache that suits so many keys.

    On a GPU, where there is one and the keys are enough for it; by class, where a processor has to
    compare very many; otherwise as one dense product, which does not copy the keys. So it is, too,
    where the GPU has no room.

    Args:
        settings: Where to stop.
        ids: (n,) int64 identifiers.
        keys: (n, width) unit vectors.
        labels: (n,) int64 values.
        n_classes: Classes that have keys.
        whole: Whether each key is to be compared by itself, however many there are.
    """
    gpu = None if whole else _gpu(settings, len(ids))
    if gpu is not None:
        try:
            return GpuCache(gpu, ids, keys, labels)
        except torch.OutOfMemoryError:
            logger.warning("the GPU has no room for %d keys", len(keys))
    if not whole and _very_many(settings, len(ids), n_classes, keys.device):
        return PartitionedCache(settings.storage, ids, keys, labels)
    return KeyValueCache.of(ids, keys, labels)


def is_outgrown(
    cache: Cache, settings: CacheSettings, n: int, n_classes: int, device: torch.device
) -> bool:
    """Whether n keys, on ``device``, should be in another kind of cache than this one.

    Only a dense one is ever outgrown: one that has become too large for its keys stays.
    """
    more = _gpu(settings, n) is not None or _very_many(settings, n, n_classes, device)
    return more and isinstance(cache, KeyValueCache)


def _gpu(settings: CacheSettings, n: int) -> torch.device | None:
    """Where n keys should be, if they are enough for a GPU and there is one."""
    return settings.gpu if n >= ON_GPU_FROM else None


def _very_many(settings: CacheSettings, n: int, n_classes: int, device: torch.device) -> bool:
    # A GPU reads millions of keys in the time in which a processor reads thousands.
    enough = n > max(settings.exact_up_to, settings.per_class * n_classes)
    return enough and device.type == "cpu"
