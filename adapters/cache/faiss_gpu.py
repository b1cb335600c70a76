"""Comparing queries with every key on a GPU, by FAISS's brute force.

It is what a ``GpuIndexFlatIP`` searches with, called on tensors: that index gives nobody its
memory, which the votes need, and can remove nothing. FAISS ends the process where CUDA fails in it;
so it is tried in another process before it is used (:func:`unusable`).

``faiss.contrib.torch_utils`` would do the same calls. It is not imported, because it replaces
methods of all FAISS's classes, on the CPU too.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from adapters.cache.brute_force import BruteForce, TorchBruteForce
from adapters.faiss_library import faiss

# Of the GPU's memory, for FAISS's intermediate results; it would take 1.5 GB.
_SCRATCH = 128 << 20
# The most that FAISS selects.
_MOST = 2048
_TRIAL_SECONDS = 120


class FaissBruteForce(BruteForce):
    """Products and nearest keys by ``bfKnn``, on the stream that PyTorch computes on.

    Safe for threads: FAISS's resources are used by one at a time, for as long as it takes to tell
    the GPU what to do.

    Args:
        device: A CUDA device.
        dtype: float16 or float32.
        api: FAISS, or what stands in for it.
    """

    name = "FAISS"

    def __init__(
        self, device: torch.device, dtype: torch.dtype = torch.float16, api: Any = faiss
    ) -> None:
        super().__init__(device, dtype)
        self._faiss = api
        self._type = (
            api.DistanceDataType_F16 if dtype == torch.float16 else api.DistanceDataType_F32
        )
        self._lock = threading.Lock()
        self._resources = api.StandardGpuResources()
        self._resources.setTempMemory(_SCRATCH)

    def products(self, queries: Tensor, keys: Tensor) -> Tensor:
        """(n, m) float32 products of (n, d) queries and (m, d) keys."""
        found = torch.empty(len(queries), len(keys), device=self.device)
        if found.numel():
            self._compare(queries, keys, -1, found, None)
        return found

    def nearest(self, queries: Tensor, keys: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """(n, k) greatest products, best first, and the (n, k) int64 rows that they are with."""
        if k > _MOST:
            best = self.products(queries, keys).topk(k, dim=1)
            return best.values, best.indices
        found = torch.empty(len(queries), k, device=self.device)
        rows = torch.empty(len(queries), k, dtype=torch.int64, device=self.device)
        if found.numel():
            self._compare(queries, keys, k, found, rows)
        return found, rows

    def _compare(
        self, queries: Tensor, keys: Tensor, k: int, found: Tensor, rows: Tensor | None
    ) -> None:
        api, pointer = self._faiss, self._faiss.cast_integer_to_void_ptr
        queries, keys = queries.contiguous(), keys.contiguous()
        asked = api.GpuDistanceParams()
        asked.metric = api.METRIC_INNER_PRODUCT
        asked.k = k  # −1: all products
        asked.dims = keys.shape[1]
        asked.vectors, asked.numVectors = pointer(keys.data_ptr()), len(keys)
        asked.queries, asked.numQueries = pointer(queries.data_ptr()), len(queries)
        asked.vectorType = asked.queryType = self._type
        asked.outDistances = api.cast_integer_to_float_ptr(found.data_ptr())
        if rows is not None:
            asked.outIndices = pointer(rows.data_ptr())
            asked.outIndicesType = api.IndicesDataType_I64
        if self.device.index is not None:
            asked.device = self.device.index
        with self._lock, self._on_current_stream():
            api.bfKnn(self._resources, asked)

    @contextmanager
    def _on_current_stream(self) -> Iterator[None]:
        """What PyTorch has computed there before comes first, what it will compute comes after.

        FAISS lets a stream wait for the one that it was told before.
        """
        if self.device.type != "cuda":
            yield
            return
        with torch.cuda.device(self.device):
            stream = torch.cuda.current_stream()
            self._resources.setDefaultStream(
                stream.device_index, self._faiss.cast_integer_to_cudastream_t(stream.cuda_stream)
            )
            yield


def unusable(device: torch.device) -> str | None:
    """Why FAISS cannot compare on a CUDA device; None where it can, as a child process has shown.

    Takes seconds where there is anything to try.
    """
    if not hasattr(faiss, "StandardGpuResources"):
        return "the FAISS that is installed has no GPU support: handful[gpu] has"
    number = device.index or 0
    if faiss.get_num_gpus() <= number:
        return f"FAISS sees {faiss.get_num_gpus()} GPUs; the driver must be one for CUDA 12"
    command = [sys.executable, "-m", "adapters.cache.faiss_gpu_trial", str(number)]
    try:
        trial = subprocess.run(  # noqa: S603 - this Python
            command, capture_output=True, text=True, timeout=_TRIAL_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return f"FAISS did not answer within {_TRIAL_SECONDS} s"
    if trial.returncode != 0:
        lines = trial.stderr.strip().splitlines() or [f"exit status {trial.returncode}"]
        return f"FAISS fails there: {lines[-1]}"
    return None


def differs(tried: BruteForce) -> str | None:
    """How products and nearest keys on a device differ from PyTorch's; None: they do not."""
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(3000, 64, generator=generator).to(tried.device, tried.dtype)
    queries, trusted = rows[:5], TorchBruteForce(tried.device, tried.dtype)
    for name, found, wanted in (
        ("products", tried.products(queries, rows), trusted.products(queries, rows)),
        ("nearest", tried.nearest(queries, rows, 7)[0], trusted.nearest(queries, rows, 7)[0]),
    ):
        if not torch.allclose(found, wanted, rtol=1e-2, atol=1e-1):
            return f"{name} are off by {float((found - wanted).abs().max()):.3g}"
    return None
