"""Threads within one computation, of PyTorch and BLAS."""

from __future__ import annotations

import torch
from threadpoolctl import threadpool_limits


def one_thread_a_call() -> None:
    """Let PyTorch and BLAS compute each call in the thread that makes it.

    The image tower has threads of its own. What else is computed for a query is short, and a
    pool of threads would spend longer on waiting for a core than on computing it: the service is
    parallel between requests instead.
    """
    torch.set_num_threads(1)
    threadpool_limits(1, user_api="blas")
