"""Which packages are installed that decide what computes; nothing of them is imported."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

FAISS = ("faiss-cpu", "faiss-gpu")
"""The distributions of FAISS, of which exactly one may be installed: they have the same files."""

CUDA_OF_FAISS = ("nvidia-cublas-cu12", "nvidia-cuda-runtime-cu12", "nvidia-curand-cu12")
"""What faiss-gpu loads, beside PyTorch's own CUDA of another version."""

_OTHERS = ("handful", "torch", "torchvision", "open_clip_torch", "numpy", "openvino")


class EnvironmentMixedError(RuntimeError):
    """Packages are installed that exclude each other."""


def versions() -> dict[str, str | None]:
    """The version of each package; None where it is missing, FAISS's only as far as they matter."""
    found = {name: installed(name) for name in (*_OTHERS, *FAISS)}
    if found["faiss-gpu"] is not None:
        found |= {name: installed(name) for name in CUDA_OF_FAISS}
    if any(found[name] is not None for name in FAISS):
        found = {n: v for n, v in found.items() if n not in FAISS or v is not None}
    return found


def installed(name: str) -> str | None:
    """The version of a distribution; None where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def check_one_faiss() -> None:
    """See that only one of the two FAISS distributions is installed.

    Raises:
        EnvironmentMixedError: Both are; they install the same module, each over the other.
    """
    found = [f"{name} {installed(name)}" for name in FAISS if installed(name) is not None]
    if len(found) > 1:
        raise EnvironmentMixedError(
            f"{' and '.join(found)} are both installed and overwrite each other's files; make a "
            "new environment with handful[cpu] or handful[gpu]"
        )
