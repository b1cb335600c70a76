"""What a pass of the image tower costs with prompts of classifiers: compiled, by PyTorch, without.

    .venv/bin/python -m benchmarks.prompted_passes [--images 1 8] [--threads 2] [--rounds 20]

ViT-B/32 with random weights, 9 layers of 2 prompts, each image with its own: by turns in one
process, so that what else the machine does weighs on all alike. Times are told as ratios to a pass
of the same images without prompts, compiled as a service compiles it.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from adapters.corrections.bottleneck import tower_fingerprint
from adapters.engines.selection import fastest
from adapters.loading import load_backbone, load_dual_encoder, load_shared_towers
from adapters.prompts import CommaConfig, TrainedPrompts
from adapters.prompts.prompted_encoder import PromptedEncoder
from benchmarks.random_vit import write_random_vit


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with TemporaryDirectory() as folder:
        passes = _passes(write_random_vit(Path(folder)), options.threads)
        for n in options.images:
            pixels = torch.randint(0, 256, (n, 224, 224, 3), dtype=torch.uint8)
            times: dict[str, list[float]] = {name: [] for name in passes}
            for _ in range(options.rounds):
                for name, run in passes.items():
                    begun = time.perf_counter()
                    run(pixels)
                    times[name].append(time.perf_counter() - begun)
            usual = statistics.median(times["without prompts"])
            for name, seconds in times.items():
                print(
                    f"{n} images, {name}: {statistics.median(seconds) / usual:.2f}"
                    f" ({min(seconds) / usual:.2f} to {max(seconds) / usual:.2f})"
                )


def _passes(name: str, threads: int) -> dict[str, Callable[[torch.Tensor], object]]:
    """A pass of each kind, from (n, 224, 224, 3) uint8 pixels."""
    generator = torch.Generator().manual_seed(0)
    trained = TrainedPrompts(
        CommaConfig(),
        0.02 * torch.randn(9, 2, 512, generator=generator),
        0.02 * torch.randn(9, 2, 768, generator=generator),
        name,
        tower_fingerprint(load_dual_encoder(name).model),
        {},
    )
    made: dict[str, Callable[[torch.Tensor], object]] = {
        "without prompts": load_backbone(name, "cpu", make_engine=fastest).encode_images
    }
    for called, compiles in (("prompts, compiled", True), ("prompts, PyTorch", False)):
        shared = load_shared_towers(name, "cpu", passes=threads, compiles=compiles)
        made[called] = PromptedEncoder(shared, trained, "it", "f" * 64).encode_images
    return made


if __name__ == "__main__":
    main()
