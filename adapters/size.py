"""How many bytes a fitted classifier holds."""

from __future__ import annotations

from typing import Any

import faiss
import numpy as np
from torch import Tensor

from adapters.classifier import FewShotClassifier


def size_of(classifier: FewShotClassifier) -> int:
    """Bytes of all tensors, arrays and indexes that are reached from it, each storage once.

    Python's own objects are left out. Costs some ten microseconds: what is looked at are the
    attributes of the head and of what it consists of, not the elements of anything.
    """
    storages: dict[int, int] = {}
    seen: set[int] = set()
    waiting: list[Any] = [classifier]
    while waiting:
        found = waiting.pop()
        if isinstance(found, Tensor):
            storage = found.untyped_storage()
            storages[storage.data_ptr()] = storage.nbytes()
        elif isinstance(found, np.ndarray):
            storages[found.__array_interface__["data"][0]] = found.nbytes
        elif id(found) in seen:
            continue
        elif isinstance(found, faiss.Index):
            seen.add(id(found))
            storages[-id(found)] = found.ntotal * found.sa_code_size()
        elif type(found).__module__.startswith("adapters."):
            seen.add(id(found))
            waiting += _attributes(found)
        elif isinstance(found, (list, tuple)):
            waiting += found
    return sum(storages.values())


def _attributes(found: Any) -> list[Any]:
    slots = getattr(type(found), "__slots__", ())
    return [*getattr(found, "__dict__", {}).values(), *(getattr(found, name) for name in slots)]
