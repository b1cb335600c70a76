"""The selection of an engine for a backbone: the quickest that computes what PyTorch computes."""

from __future__ import annotations

import hashlib
import logging
from importlib.metadata import version
from pathlib import Path

import torch
from torch import Tensor

from adapters.engines import openvino
from adapters.engines.agreement import LEAST_COSINE, agreement, checked, one_by_one, probes
from adapters.engines.compiled import compiled
from adapters.engines.cuda import SIZES, Cuda
from adapters.engines.image_pass import ImagePass
from adapters.engines.inference_engine import Eager, Engine, warn_of_float32
from adapters.engines.lean import lean
from adapters.engines.quantisation import engine_in
from adapters.recipe import Precision

logger = logging.getLogger("handful.runtime")


def fastest(
    image_pass: ImagePass,
    device: torch.device,
    size: tuple[int, int],
    identity: str,
    precision: Precision = "float32",
    *,
    cache: Path | None = None,
) -> Engine:
    """Take the quickest engine for the device that agrees with PyTorch.

    Should compiling fail, or any of the probes come out otherwise
    (:mod:`adapters.engines.agreement`), PyTorch itself is the engine, and a warning says why.

    On a processor that is OpenVINO. The first time for a model this converts it, which takes
    seconds; what came of it is kept in ``cache`` and read from there the next time. On a GPU it
    is :class:`adapters.engines.cuda.Cuda` in the first of float16, bfloat16 and float32 that
    agrees, with passes that PyTorch compiles: up to some minutes the first time, kept likewise.

    Args:
        image_pass: On the device, in float32.
        device: Where it computes.
        size: Height and width of its images.
        identity: Digest of all that decides its output in float32.
        precision: To compute in; a GPU computes all of them in what agrees with float32.
        cache: Folder of compiled models; None keeps nothing.
    """
    eager = Eager(image_pass, device)
    pixels = probes(*size)
    expected = one_by_one(eager, pixels)
    if device.type == "cuda":
        warn_of_float32(precision)
        return _on_gpu(image_pass, device, size, expected, cache) or eager
    path = None if cache is None else cache / _key(identity, size) / "model.xml"
    if path is not None and path.exists():
        try:
            engine = engine_in(precision, openvino.read(path), path)
            return checked(engine, expected, pixels, engine.precision)
        except Exception as error:
            logger.warning("the compiled model %s is made anew: %s", path, error)
    try:
        with lean(image_pass):
            model = openvino.convert(image_pass, *size)
        engine = engine_in(precision, model, path, anew=True)
        checked(engine, expected, pixels, engine.precision)
    # Whatever an engine does with a model that it does not know, PyTorch can still run it.
    except Exception as error:
        logger.warning("OpenVINO is not used, so images take several times longer: %s", error)
        return eager
    if path is not None:
        try:
            openvino.write(model, path)
        except OSError as error:
            logger.warning("the compiled model is not kept for the next start: %s", error)
    return engine


def _on_gpu(
    image_pass: ImagePass,
    device: torch.device,
    size: tuple[int, int],
    expected: list[Tensor],
    cache: Path | None,
) -> Engine | None:
    """Record it, compiled if possible; None, and as it was before, where neither agrees."""
    before = {name: value.cpu() for name, value in image_pass.state_dict().items()}
    pixels = probes(*size)
    _reduce_precision(image_pass, device, expected, pixels, before)
    for compile_it in (True, False):
        try:
            # Not a slice: the compiler takes note of what a view is a view of.
            most = torch.zeros(SIZES[-1], *size, 3, dtype=torch.uint8, device=device)
            with lean(image_pass):
                quick = compiled(image_pass, most, cache=cache) if compile_it else None
                del most
                engine = Cuda(image_pass, device, size, compiled=quick)
            return checked(engine, expected, pixels)
        except Exception as error:
            way = "compiled passes" if compile_it else "recorded passes"
            logger.warning("the GPU does not run %s: %s", way, error)
    _restore(image_pass, before)
    return None


def _reduce_precision(
    image_pass: ImagePass,
    device: torch.device,
    expected: list[Tensor],
    pixels: Tensor,
    before: dict[str, Tensor],
) -> None:
    """Compute in the first half precision that agrees, or go on in float32.

    float16 has eight times the resolution of bfloat16; only where its range is too small, which
    shows as values that are no numbers, bfloat16 may be the better one.
    """
    for precision in (torch.float16, torch.bfloat16):
        image_pass.compute_in(precision)
        found = agreement(Eager(image_pass, device), expected, pixels)
        if found >= LEAST_COSINE:
            return
        logger.warning("the GPU does not compute in %s (cosine %.5f)", precision, found)
        _restore(image_pass, before)


def _restore(image_pass: ImagePass, before: dict[str, Tensor]) -> None:
    image_pass.compute_in(torch.float32)
    image_pass.load_state_dict(before)


def _key(identity: str, size: tuple[int, int]) -> str:
    made_by = f"{identity} {size} openvino {version('openvino')} torch {version('torch')} lean"
    return hashlib.sha256(made_by.encode()).hexdigest()[:32]
