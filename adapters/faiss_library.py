"""FAISS, which comes as one of two distributions and says so where it is missing."""

from __future__ import annotations

try:
    import faiss
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "FAISS is missing: install handful[cpu] or, for GPUs, handful[gpu]; never both"
    ) from error

__all__ = ["faiss"]
