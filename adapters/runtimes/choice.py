"""Which runtime a backbone gets: the quickest that computes what PyTorch computes."""

from __future__ import annotations

import hashlib
import logging
from importlib.metadata import version
from pathlib import Path

import torch
from torch import nn

from adapters.runtimes import openvino
from adapters.runtimes.agreement import LEAST_COSINE, agreement, probes
from adapters.runtimes.runtime import Eager, Runtime

logger = logging.getLogger("handful.runtime")


def fastest(
    image_pass: nn.Module,
    device: torch.device,
    size: tuple[int, int],
    identity: str,
    *,
    cache: Path | None = None,
) -> Runtime:
    """Compile an image pass for the device, compare it with PyTorch, and take it if it agrees.

    The first time for a model this converts it, which takes seconds; what came of it is kept in
    ``cache`` and read from there the next time. Should compiling fail, or any of the probes come
    out otherwise (:mod:`adapters.runtimes.agreement`), PyTorch itself is the runtime, and a
    warning says why.

    Args:
        image_pass: Module from (n, H, W, 3) uint8 pixels to two embeddings.
        device: Where the module is.
        size: Height and width of its images.
        identity: Digest of all that decides its output.
        cache: Folder of compiled models; None keeps nothing.
    """
    eager = Eager(image_pass, device)
    if device.type != "cpu":
        return eager
    path = None if cache is None else cache / _key(identity, size) / "model.xml"
    if path is not None and path.exists():
        try:
            return _checked(openvino.OpenVINO(openvino.read(path)), eager, size)
        except Exception as error:
            logger.warning("the compiled model %s is made anew: %s", path, error)
    try:
        model = openvino.convert(image_pass, *size)
        runtime = _checked(openvino.OpenVINO(model), eager, size)
    # Whatever an engine does with a model that it does not know, PyTorch can still run it.
    except Exception as error:
        logger.warning("OpenVINO is not used, so images take several times longer: %s", error)
        return eager
    if path is not None:
        try:
            openvino.write(model, path)
        except OSError as error:
            logger.warning("the compiled model is not kept for the next start: %s", error)
    return runtime


class DisagreementError(RuntimeError):
    """A runtime computes something else than the reference."""


def _checked(runtime: Runtime, reference: Runtime, size: tuple[int, int]) -> Runtime:
    found = agreement(runtime, reference, probes(*size))
    if not found >= LEAST_COSINE:  # NaN, too, is a disagreement
        raise DisagreementError(
            f"its embeddings differ from PyTorch's (cosine {found:.5f}, at least {LEAST_COSINE})"
        )
    return runtime


def _key(identity: str, size: tuple[int, int]) -> str:
    made_by = f"{identity} {size} openvino {version('openvino')} torch {version('torch')}"
    return hashlib.sha256(made_by.encode()).hexdigest()[:32]
