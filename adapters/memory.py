"""Bytes of memory that tensors and arrays hold, each storage once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

#: Bytes of each storage by its address: what two objects share has one entry in the union of both.
Storages = dict[int, int]


def storages(*held: Tensor | NDArray[Any] | None) -> Storages:
    """The storages behind tensors and arrays; a view holds all of what it is a view of."""
    found: Storages = {}
    for one in held:
        if isinstance(one, Tensor):
            storage = one.untyped_storage()
            found[storage.data_ptr()] = storage.nbytes()
        elif isinstance(one, np.ndarray):
            found[one.__array_interface__["data"][0]] = one.nbytes
    return found
