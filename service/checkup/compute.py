"""What computes: graphics cards and their drivers, threads."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import torch

from adapters.faiss_library import faiss
from service.checkup.finding import Finding, ok, problem, warning
from service.settings import Settings

_DRIVER = Path("/proc/driver/nvidia/version")
_LEAST = 2 * 2**30


def look_at_compute(settings: Settings) -> Iterator[Finding]:
    """Look at cards, drivers and threads."""
    driver = _driver()
    if torch.cuda.is_available():
        for i in range(torch.cuda.device_count()):
            free, total = torch.cuda.mem_get_info(i)
            told = (
                f"GPU {i}: {torch.cuda.get_device_name(i)}, {free / 2**30:.1f} of"
                f" {total / 2**30:.1f} GiB free, driver {driver}, CUDA {torch.version.cuda}"
            )
            few = free < _LEAST
            yield warning(told, "end what else uses it") if few else ok(told)
    elif settings.device is not None and settings.device.startswith("cuda"):
        yield problem(
            f"HANDFUL_DEVICE={settings.device}, and PyTorch sees no GPU (driver: {driver})",
            "look at the driver and at CUDA_VISIBLE_DEVICES; in a container, give it the GPU",
        )
    elif driver is not None and torch.version.cuda is None:
        yield warning(
            f"there is an NVIDIA driver ({driver}), but this PyTorch is built without CUDA",
            "install PyTorch with CUDA, and handful[gpu]",
        )
    elif driver is not None:
        yield warning(
            f"there is an NVIDIA driver ({driver}), but PyTorch sees no GPU",
            "look at CUDA_VISIBLE_DEVICES, and at nvidia-smi",
        )
    else:
        yield ok("no GPU")
    asked = os.environ.get("OMP_NUM_THREADS", "as many as processors")
    yield ok(
        f"threads: PyTorch {torch.get_num_threads()}, FAISS {faiss.omp_get_max_threads()}"
        f" (OMP_NUM_THREADS: {asked}); {settings.decode_threads} decode"
    )
    yield from _cache(settings)


def _driver() -> str | None:
    """The version of NVIDIA's driver; None: there is none."""
    try:
        words = _DRIVER.read_text().splitlines()[0].split()
    except (OSError, IndexError):
        return None
    return next((word for word in words if word[0].isdigit() and "." in word), "unknown")


def _cache(settings: Settings) -> Iterator[Finding]:
    compiled = settings.cache_dir / "compiled"
    if not compiled.is_dir():
        yield ok(f"no compiled encoders in {compiled} yet: the first start takes longer")
        return
    kept = [path for path in compiled.iterdir() if not path.name.startswith(".")]
    size = sum(file.stat().st_size for file in compiled.rglob("*") if file.is_file())
    yield ok(f"{len(kept)} compiled encoders in {compiled}, {size / 2**20:.0f} MiB")
