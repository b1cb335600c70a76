"""The key-value cache of Tip-Adapter (Zhang et al., ECCV 2022), small and large."""

from adapters.cache.exact import KeyValueCache
from adapters.cache.matches import Matches
from adapters.cache.on_gpu import GpuCache
from adapters.cache.partitioned import PartitionedCache
from adapters.cache.settings import CacheSettings, cache_settings, use_cache_settings

Cache = KeyValueCache | PartitionedCache | GpuCache

__all__ = [
    "Cache",
    "CacheSettings",
    "GpuCache",
    "KeyValueCache",
    "Matches",
    "PartitionedCache",
    "cache_settings",
    "use_cache_settings",
]
