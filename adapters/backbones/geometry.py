"""Preprocessing as plain values, for a process that frames pictures without the model."""

from __future__ import annotations

from typing import Any

from open_clip.transform import CenterCropOrPad, ResizeKeepRatio
from torchvision.transforms import (
    CenterCrop,
    Compose,
    InterpolationMode,
    Normalize,
    Resize,
    ToTensor,
)

from adapters.backbone_errors import BackboneError
from adapters.backbones.framing import Framing


def described_geometry(framing: Framing) -> dict[str, Any]:
    """Describe preprocessing as JSON can hold it.

    Raises:
        BackboneError: It has steps that open_clip does not make.
    """
    steps = [_described(step) for step in framing.geometry if not _converts(step)]
    return {"steps": steps, "mean": framing.mean.tolist(), "std": framing.std.tolist()}


def framing_of(geometry: dict[str, Any]) -> Framing:
    """Make the preprocessing that :func:`described_geometry` has described."""
    steps = [_step(step) for step in geometry["steps"]]
    return Framing(Compose([*steps, ToTensor(), Normalize(geometry["mean"], geometry["std"])]))


def _converts(step: Any) -> bool:
    """Whether it makes RGB of a picture, which they are already."""
    return "convert" in getattr(step, "__name__", type(step).__name__).lower()


def _described(step: Any) -> dict[str, Any]:
    if isinstance(step, Resize):
        interpolation = step.interpolation.value
        size = step.size if isinstance(step.size, int) else list(step.size)
        return {"kind": "resize", "size": size, "interpolation": interpolation}
    if isinstance(step, CenterCrop):
        return {"kind": "crop", "size": list(step.size)}
    if isinstance(step, ResizeKeepRatio):
        interpolation = step.interpolation.value
        size, longest = list(step.size), step.longest
        return {"kind": "ratio", "size": size, "longest": longest, "interpolation": interpolation}
    if isinstance(step, CenterCropOrPad):
        return {"kind": "pad", "size": list(step.size), "fill": step.fill}
    raise BackboneError(
        f"preprocessing with {step} cannot be described to other processes; serve it with "
        "--processes 1"
    )


def _step(described: dict[str, Any]) -> Any:
    given = {key: value for key, value in described.items() if key != "kind"}
    if "interpolation" in given:
        given["interpolation"] = InterpolationMode(given["interpolation"])
    made = {"resize": Resize, "crop": CenterCrop, "ratio": ResizeKeepRatio, "pad": CenterCropOrPad}
    return made[described["kind"]](**given)
