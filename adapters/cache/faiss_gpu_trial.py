"""Try FAISS on a GPU: ``python -m adapters.cache.faiss_gpu_trial 0``.

In a process of its own, because FAISS ends the process where CUDA fails in it.
"""

from __future__ import annotations

import sys

import torch

from adapters.cache.faiss_gpu import FaissBruteForce, differs


def main() -> None:
    """Compare it with PyTorch on the GPU of this number; exit with why not."""
    device = torch.device("cuda", int(sys.argv[1]))
    for dtype in (torch.float16, torch.float32):
        if (difference := differs(FaissBruteForce(device, dtype))) is not None:
            sys.exit(difference)


if __name__ == "__main__":
    main()
