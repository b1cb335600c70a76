"""How many threads the mathematics of one classifier takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

# Embeddings of a few thousand images: more threads are worth waiting for each other.
_LARGE = 16 * 2**20
_ALL = torch.get_num_threads()


@contextmanager
def threads_for(nbytes: int) -> Iterator[None]:
    """Compute with one thread on embeddings that are few, with all of them where they are many.

    PyTorch divides even a matrix of 50 rows among its threads, and on cores that the encoder
    keeps busy they wait for each other: answers took twice as long, at times ten times.
    Concerns this thread only; costs a microsecond.
    """
    torch.set_num_threads(_ALL if nbytes > _LARGE else 1)
    try:
        yield
    finally:
        torch.set_num_threads(_ALL)
