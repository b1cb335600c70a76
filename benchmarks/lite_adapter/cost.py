"""The cost of a pass of `lite` with an adapter, as a ratio to that with another one."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from time import perf_counter

import torch

from adapters.backbones.framing import Framing
from adapters.engines import Engine, ImagePass, openvino
from adapters.loading import load_correction, load_dual_encoder
from adapters.recipe import Precision

BATCH, ROUNDS = 8, 60


def engine(adapter: Path, precision: Precision) -> Engine:
    """`lite` with an adapter, compiled by OpenVINO."""
    encoder = load_dual_encoder("lite")
    framing = Framing(encoder.preprocess)
    correction = load_correction(encoder, str(adapter))
    image_pass = ImagePass(encoder.visual, correction, framing.mean, framing.std).eval()
    return openvino.OpenVINO(openvino.convert(image_pass, 224, 224), precision)


def compare(before: Path, after: Path) -> None:
    """Print the milliseconds of a pass of 8 images with both, in turns, and the median ratio."""
    pixels = torch.randint(0, 256, (BATCH, 224, 224, 3), dtype=torch.uint8)
    for precision in ("float32", "bfloat16"):
        engines = [engine(adapter, precision) for adapter in (before, after)]
        seconds: list[list[float]] = [[], []]
        for number in range(2 * ROUNDS):
            # Who goes first changes, so that neither always follows the other.
            for which in (0, 1) if number % 2 else (1, 0):
                began = perf_counter()
                engines[which](pixels)
                seconds[which].append(perf_counter() - began)
        ratio = median(b / a for a, b in zip(*seconds, strict=True))
        first, second = (1000 * median(times) for times in seconds)
        print(f"{precision}: {first:.1f} ms, {second:.1f} ms; {100 * (ratio - 1):+.1f} %")
