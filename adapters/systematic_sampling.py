"""Systematic sampling: rows that are evenly spread over many."""

from __future__ import annotations

import torch
from torch import Tensor


def evenly(n: int, most: int) -> Tensor:
    """At most ``most`` of n rows, evenly spread over them; always the same ones."""
    return torch.arange(n) if n <= most else torch.linspace(0, n - 1, most).round().long()
