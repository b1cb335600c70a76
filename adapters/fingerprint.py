"""Digests of weights: what tells whether embeddings, or files, belong to the same model."""

from __future__ import annotations

import hashlib
import json

import torch
from torch import nn


def fingerprint(module: nn.Module, recipe: object = None) -> str:
    """SHA-256 of the names, types, shapes and values of a module's parameters and buffers.

    Args:
        module: Hooks on it, such as an attached adapter, are no part of it.
        recipe: What else decides the outcome, as JSON can hold it.
    """
    found = hashlib.sha256()
    if recipe is not None:
        found.update(json.dumps(recipe, sort_keys=True).encode())
    for name, value in sorted(module.state_dict().items()):
        found.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        found.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return found.hexdigest()
