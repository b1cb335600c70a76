"""Preprocessing as plain values, for a process that frames pictures without the model."""

from __future__ import annotations

from typing import Any

from PIL import Image

from adapters.backbone_errors import BackboneError
from adapters.backbones.bounded import ShorterSide
from adapters.backbones.framing import Framing
from adapters.backbones.transforms import Transforms

# open_clip's other steps, by the names of their classes: what they were made with.
_STEPS = {
    "Resize": ("size", "interpolation"),
    "CenterCrop": ("size",),
    "ResizeKeepRatio": ("size", "longest", "interpolation"),
    "CenterCropOrPad": ("size", "fill"),
}


def described_geometry(framing: Framing) -> dict[str, Any]:
    """Describe preprocessing as JSON can hold it.

    Raises:
        BackboneError: It has steps that open_clip does not make.
    """
    known = framing.shorter_side
    geometry: dict[str, Any] = {"mean": framing.mean.tolist(), "std": framing.std.tolist()}
    if known is not None:
        shorter_side = [known.side, known.width, known.height, known.interpolation.name]
        return geometry | {"shorter side": shorter_side}
    return geometry | {"steps": [_described(each) for each in framing.geometry if not _rgb(each)]}


def framing_of(geometry: dict[str, Any]) -> Framing:
    """Make the preprocessing that :func:`described_geometry` has described."""
    mean, std = geometry["mean"], geometry["std"]
    if "shorter side" in geometry:
        side, width, height, interpolation = geometry["shorter side"]
        known = ShorterSide(side, width, height, Image.Resampling[interpolation])
        return Framing(Transforms.of(known, mean, std))
    from open_clip import transform
    from torchvision.transforms import Compose, InterpolationMode, Normalize, ToTensor

    steps = []
    for name, given in geometry["steps"]:
        if "interpolation" in given:
            given = given | {"interpolation": InterpolationMode(given["interpolation"])}
        steps.append(getattr(transform, name)(**given))
    return Framing(Compose([*steps, ToTensor(), Normalize(mean, std)]))


def _rgb(step: Any) -> bool:
    """Whether it makes RGB of a picture, which they are already."""
    return "convert" in getattr(step, "__name__", type(step).__name__).lower()


def _described(step: Any) -> tuple[str, dict[str, Any]]:
    name = type(step).__name__
    if name not in _STEPS:
        raise BackboneError(
            f"preprocessing with {step} cannot be described to other processes; serve it with "
            "--processes 1"
        )
    given = {each: getattr(step, each) for each in _STEPS[name]}
    if "interpolation" in given:
        given["interpolation"] = given["interpolation"].value
    return name, given
