"""How large caches are kept: a value that whoever puts the parts together hands down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from adapters.cache.brute_force import BruteForce

Storage = Literal["float32", "float16", "int8"]


@dataclass(frozen=True, slots=True)
class CacheSettings:
    """Where a cache stops being one dense product, and how its keys are kept from there on.

    Attributes:
        storage: Of the keys of larger caches. Those that are compared whole keep float32.
        exact_up_to: Largest number of keys that are compared with every query in any case.
        per_class: Fewest keys a class, on average, of caches that are not compared whole: with
            fewer, classes are too many to be looked at one by one (docs/cache.md).
        gpu: What compares caches over :data:`adapters.cache.on_gpu.ON_GPU_FROM` keys instead, with
            every query, on its device (:func:`adapters.cache.brute_force_on`); None where there is
            none.
    """

    storage: Storage = "float32"
    exact_up_to: int = 20_000
    per_class: int = 24
    gpu: BruteForce | None = None


#: What is kept where nobody says anything.
DEFAULT_SETTINGS = CacheSettings()
