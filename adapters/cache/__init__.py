"""The key-value cache of Tip-Adapter (Zhang et al., ECCV 2022), small and large."""

from adapters.cache.brute_force import BruteForce, TorchBruteForce
from adapters.cache.cache import Cache, ClassVotes, VoteEquation
from adapters.cache.cache_file import CacheFileError
from adapters.cache.choice import brute_force_on, is_outgrown, load_cache, new_cache
from adapters.cache.exact import KeyValueCache
from adapters.cache.flat_rows import FlatRows
from adapters.cache.matches import Matches
from adapters.cache.on_gpu import GpuCache
from adapters.cache.partitioned import PartitionedCache
from adapters.cache.settings import DEFAULT_SETTINGS, CacheSettings

__all__ = [
    "DEFAULT_SETTINGS",
    "BruteForce",
    "Cache",
    "CacheFileError",
    "CacheSettings",
    "ClassVotes",
    "FlatRows",
    "GpuCache",
    "KeyValueCache",
    "Matches",
    "PartitionedCache",
    "TorchBruteForce",
    "VoteEquation",
    "brute_force_on",
    "is_outgrown",
    "load_cache",
    "new_cache",
]
