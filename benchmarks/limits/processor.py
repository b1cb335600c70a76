"""The measured peak of the processor: multiply-adds a second by precision, bytes by block size.

Two ways measure products, and the better counts: instructions on registers (``kernels.c``, compiled
here for this processor, where there is a C compiler), and oneDNN's products of matrices in PyTorch,
which also know instructions that the former does not use (AMX).
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import tempfile
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import which

import torch

from adapters.recipe import Precision

SOURCE = Path(__file__).with_name("kernels.c")
BLOCKS = tuple(2**power for power in range(15, 29))
"""Bytes of a core's block: from what a level-1 cache holds to what no cache does."""
SIDES = (512, 1024, 2048)
"""Of the square matrices that are multiplied."""
_ALIGNED = 64
_DTYPES: dict[Precision, torch.dtype] = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True, slots=True)
class Bandwidth:
    """Bytes a second of all cores together, by the bytes of each core's block.

    Attributes:
        sizes: Bytes of a block, ascending.
        rates: Bytes a second of a block of each size that is read and written again and again.
    """

    sizes: Sequence[int]
    rates: Sequence[float]

    def at(self, size: float) -> float:
        """Of a block of this size: the best of blocks at least as large, so never too low."""
        place = min(bisect_left(self.sizes, size), len(self.sizes) - 1)
        return max(self.rates[place:])


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0))


class Kernels:
    """The C kernels, compiled for this processor.

    Raises:
        OSError: There is no C compiler, or it knows no AVX2.
    """

    def __init__(self) -> None:
        compiler = which("cc") or which("gcc")
        if compiler is None:
            raise OSError("there is no C compiler")
        with tempfile.TemporaryDirectory(prefix="handful-kernels-") as folder:
            library = Path(folder) / "kernels.so"
            command = [compiler, "-O3", "-march=native", "-shared", "-fPIC"]
            ended = subprocess.run(
                [*command, SOURCE, "-o", library], capture_output=True, text=True, check=False
            )
            if ended.returncode:
                raise OSError(f"{compiler}: {ended.stderr.strip()[-300:]}")
            self._library = ctypes.CDLL(str(library))

    def products(self, precision: Precision, seconds: float) -> float:
        """Multiply-adds a second of all cores; 0 where there is no instruction for them."""
        macs: int = getattr(self._library, f"macs_{precision}")()
        run = getattr(self._library, f"run_{precision}")
        run.argtypes, run.restype = [ctypes.c_long], ctypes.c_float
        turns = 200_000
        return turns * macs * calls_a_second(lambda _: run(turns), seconds) if macs else 0.0

    def read(self, size: int, seconds: float) -> float:
        """Bytes a second, each core reading a block of its own."""
        run = self._library.run_read
        run.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_long]
        run.restype = ctypes.c_float
        blocks = [_block(size) for _ in range(cores())]
        turns = max(1, 2**24 // size)
        rate = calls_a_second(lambda core: run(blocks[core][1], size, turns), seconds)
        return turns * size * rate

    def copy(self, size: int, seconds: float) -> float:
        """Bytes read and written a second, each core copying one half of a block to the other."""
        run = self._library.run_copy
        run.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_long]
        run.restype = ctypes.c_float
        half = size // 2
        blocks = [_block(size) for _ in range(cores())]
        turns = max(1, 2**24 // size)

        def copied(core: int) -> None:
            start = blocks[core][1]
            run(start, start + half, half, turns)

        return turns * size * calls_a_second(copied, seconds)


def matrix_products(precision: Precision, side: int, seconds: float) -> float:
    """Multiply-adds a second of PyTorch's product of square matrices; 0 for int8."""
    if precision not in _DTYPES:
        return 0.0
    a, b = (torch.rand(side, side).to(_DTYPES[precision]) for _ in range(2))
    out = torch.empty_like(a)
    turns = 0
    with torch.inference_mode():
        torch.mm(a, b, out=out)
        begin = time.perf_counter()
        while (passed := time.perf_counter() - begin) < seconds or not turns:
            torch.mm(a, b, out=out)
            turns += 1
    return turns * side**3 / passed


def bandwidth(kernels: Kernels | None, seconds: float) -> Bandwidth:
    """Measure blocks of all sizes; without a C compiler one copy of large ones alone."""
    if kernels is None:
        size = BLOCKS[-1] * cores()
        a, b = torch.ones(size // 8), torch.empty(size // 8)
        b.copy_(a)
        begin = time.perf_counter()
        b.copy_(a)
        return Bandwidth((size,), (size / (time.perf_counter() - begin),))
    rates = [max(kernels.read(s, seconds / 2), kernels.copy(s, seconds / 2)) for s in BLOCKS]
    return Bandwidth(BLOCKS, rates)


def calls_a_second(work: Callable[[int], object], seconds: float) -> float:
    """How often all cores together do some work, one thread on each.

    Args:
        work: Called with the number of the core; leaves Python's lock to others.
        seconds: Calls that begin within it are finished and counted.
    """
    done = [0] * cores()
    spent = [0.0] * cores()
    ready = threading.Barrier(cores())

    def run(core: int) -> None:
        work(core)  # pages, caches and the clock
        ready.wait()
        begin = time.perf_counter()
        while (passed := time.perf_counter() - begin) < seconds or not done[core]:
            work(core)
            done[core] += 1
        spent[core] = passed

    threads = [threading.Thread(target=run, args=(core,)) for core in range(cores())]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(count / passed for count, passed in zip(done, spent, strict=True))


def _block(size: int) -> tuple[ctypes.Array[ctypes.c_char], int]:
    """Memory, and the first address in it that vectors may be read from."""
    memory = ctypes.create_string_buffer(size + _ALIGNED)
    address = ctypes.addressof(memory)
    return memory, address + -address % _ALIGNED
