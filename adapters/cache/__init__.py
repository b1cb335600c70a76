"""The key-value cache of Tip-Adapter (Zhang et al., ECCV 2022), small and large."""

from adapters.cache.cache import Cache, ClassVotes, VoteEquation
from adapters.cache.choice import is_outgrown, new_cache
from adapters.cache.exact import KeyValueCache
from adapters.cache.matches import Matches
from adapters.cache.on_gpu import GpuCache
from adapters.cache.partitioned import PartitionedCache
from adapters.cache.settings import DEFAULT_SETTINGS, CacheSettings

__all__ = [
    "DEFAULT_SETTINGS",
    "Cache",
    "CacheSettings",
    "ClassVotes",
    "GpuCache",
    "KeyValueCache",
    "Matches",
    "PartitionedCache",
    "VoteEquation",
    "is_outgrown",
    "new_cache",
]
