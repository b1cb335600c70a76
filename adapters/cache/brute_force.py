"""Comparing queries with every key on one device: what does it is handed to the caches there."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor


class BruteForce(ABC):
    """Inner products on a device; one of it for a process, made where the parts are put together.

    Args:
        device: Where keys and queries are.
        dtype: What they are rounded to: float16 or float32. Sums are float32.
    """

    #: Whose products these are, for people.
    name: str

    def __init__(self, device: torch.device, dtype: torch.dtype = torch.float16) -> None:
        self.device = device
        self.dtype = dtype

    @abstractmethod
    def products(self, queries: Tensor, keys: Tensor) -> Tensor:
        """(n, m) float32 products of (n, d) queries and (m, d) keys, of this type, here."""

    @abstractmethod
    def nearest(self, queries: Tensor, keys: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """(n, k) greatest products, best first, and the (n, k) int64 rows that they are with.

        Args:
            queries: (n, d), of this type, here.
            keys: (m, d), likewise.
            k: 1 to m.
        """


class TorchBruteForce(BruteForce):
    """Products by PyTorch."""

    name = "PyTorch"

    def products(self, queries: Tensor, keys: Tensor) -> Tensor:
        """(n, m) float32 products of (n, d) queries and (m, d) keys."""
        if queries.is_cuda and self.dtype == torch.float16:
            return torch.mm(queries, keys.T, out_dtype=torch.float32)
        return queries.float() @ keys.float().T

    def nearest(self, queries: Tensor, keys: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """(n, k) greatest products, best first, and the (n, k) int64 rows that they are with."""
        best = self.products(queries, keys).topk(k, dim=1)
        return best.values, best.indices
