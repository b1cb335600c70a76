"""Where the milliseconds of a pass on a GPU go.

    python -m benchmarks.gpu_kernels [--model ViT-B-16] [--batch 256]

One pass for both embeddings, random weights, pixels on the device already: as PyTorch runs it,
leaner (`adapters.engines.lean`), and compiled as the service has it; each as share of the rate of
a large matrix product. Then the kernels of the last one, the longest first. ``--device cpu`` only
shows that the command works.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from adapters.engines import Eager, ImagePass
from adapters.engines.compiled import EmbedPixels, compiled
from adapters.engines.lean import lean
from adapters.loading import load_backbone
from benchmarks.floor import rate
from benchmarks.gpu import PRODUCT, operations, product_rate, speeds, write_model
from benchmarks.published import Row, publish

SHOWN = 25


@torch.inference_mode()
def finished(run: EmbedPixels, pixels: Tensor, _turn: int = 0) -> None:
    """One pass, to its end, in any thread."""
    run(pixels)
    if pixels.is_cuda:
        torch.cuda.synchronize(pixels.device)


def milliseconds(run: EmbedPixels, pixels: Tensor, seconds: float) -> float:
    """Of one pass, after a few others."""
    work: Callable[[int], None] = partial(finished, run, pixels)
    for turn in range(3):
        work(turn)
    return 1000 / rate(work, 1, seconds)


def kernels(run: EmbedPixels, pixels: Tensor, passes: int = 3) -> list[Row]:
    """What ran, and how long in each pass."""
    on_gpu = pixels.is_cuda
    activity = ProfilerActivity.CUDA if on_gpu else ProfilerActivity.CPU
    with profile(activities=[activity]) as seen:
        for _ in range(passes):
            finished(run, pixels)
    spent = [
        (event.self_device_time_total if on_gpu else event.self_cpu_time_total, event)
        for event in seen.key_averages()
    ]
    spent.sort(key=lambda one: -one[0])
    whole = sum(microseconds for microseconds, _ in spent)
    return [
        {
            "kernel": event.key[:90],
            "calls a pass": event.count / passes,
            "ms a pass": microseconds / passes / 1000,
            "share %": 100 * microseconds / whole,
        }
        for microseconds, event in spent[:SHOWN]
    ]


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="ViT-B-16")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--product", type=int, default=PRODUCT, help="side of the matrices")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    parser.add_argument("--out", type=Path, default=Path("benchmark-results"))
    arguments = parser.parse_args()
    device, seconds = torch.device(arguments.device), arguments.seconds
    held: list[ImagePass] = []

    def keep(image_pass: ImagePass, *made: object) -> Eager:
        held.append(image_pass)
        return Eager(image_pass, device)

    with tempfile.TemporaryDirectory(prefix="handful-gpu-") as folder:
        name, adapter = write_model(arguments.model, Path(folder))
        backbone = load_backbone(name, device, adapter=str(adapter), make_engine=keep)
    [image_pass] = held
    side = backbone.image_size
    pixels = torch.randint(
        0, 256, (arguments.batch, side, side, 3), dtype=torch.uint8, device=device
    )
    per_image = operations(backbone, pixels[:1].cpu())
    peak = product_rate(device, arguments.product, seconds)
    if device.type == "cuda":
        image_pass.compute_in(torch.float16)
    rows: list[Row] = []

    def measured(title: str, run: EmbedPixels) -> None:
        took = milliseconds(run, pixels, seconds)
        images = 1000 * arguments.batch / took
        rows.append({"pass": title, "ms": took, **speeds(images, per_image, peak)})

    for title, context in (("PyTorch", nullcontext()), ("leaner", lean(image_pass))):
        with context:
            measured(title, image_pass)
    with lean(image_pass):
        quick = compiled(image_pass, torch.zeros_like(pixels))
        measured("leaner, compiled", quick)
        longest = kernels(quick, pixels)
    about = {"product, TFLOP/s": peak, "GFLOP an image, both embeddings": per_image / 1e9}
    title = f"{arguments.model}, a pass of {arguments.batch} on {arguments.device}"
    publish("gpu_passes", title, rows, arguments.out, about=about)
    publish("gpu_kernels", f"{title}: its kernels", longest, arguments.out, about=about)


if __name__ == "__main__":
    main()
