"""Which kind of cache keeps so many keys."""

from __future__ import annotations

import logging
import os

import torch
from torch import Tensor

from adapters.cache.brute_force import BruteForce, TorchBruteForce
from adapters.cache.cache import Cache
from adapters.cache.cache_file import load
from adapters.cache.exact import KeyValueCache
from adapters.cache.faiss_gpu import FaissBruteForce, unusable
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


def load_cache(path: str | os.PathLike[str], settings: CacheSettings) -> Cache:
    """A cache of the keys that :func:`adapters.cache.cache_file.save` wrote.

    It is of the kind that suits them here, whichever it was. Where keys were rounded when they were
    saved, they remain so.

    Raises:
        CacheFileError: It is no such file, or damaged.
        OSError: There is no file.
    """
    read = load(path)
    return new_cache(settings, read.ids, read.keys, read.labels, len(set(read.labels.tolist())))


def is_outgrown(
    cache: Cache, settings: CacheSettings, n: int, n_classes: int, device: torch.device
) -> bool:
    """Whether n keys, on ``device``, should be in another kind of cache than this one.

    Only a dense one is ever outgrown: one that has become too large for its keys stays.
    """
    more = _gpu(settings, n) is not None or _very_many(settings, n, n_classes, device)
    return more and isinstance(cache, KeyValueCache)


def brute_force_on(device: torch.device) -> BruteForce:
    """What compares on a GPU: FAISS, or PyTorch where FAISS cannot; the log says which and why.

    Takes seconds where FAISS has GPU support: it is tried first.
    """
    reason = unusable(device)
    if reason is None:
        logger.info("caches on %s are compared by FAISS", device)
        return FaissBruteForce(device)
    logger.warning("caches on %s are compared by PyTorch: %s", device, reason)
    return TorchBruteForce(device)


def _gpu(settings: CacheSettings, n: int) -> BruteForce | None:
    """What compares n keys, if they are enough for a GPU and there is one."""
    return settings.gpu if n >= ON_GPU_FROM else None


def _very_many(settings: CacheSettings, n: int, n_classes: int, device: torch.device) -> bool:
    # A GPU reads millions of keys in the time in which a processor reads thousands.
    enough = n > max(settings.exact_up_to, settings.per_class * n_classes)
    return enough and device.type == "cpu"
