"""How pictures are prepared for a model of ``transformers``, in open_clip's words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from adapters.backbone_errors import BackboneError, WeightsUnavailable
from adapters.backbones.checkpoints.json_files import read_json
from adapters.backbones.checkpoints.pixels import channels

_INTERPOLATIONS = {2: "bilinear", 3: "bicubic"}
"""Of Pillow's filters, by number, those that open_clip has."""


def pixels(folder: Path, image_size: int) -> dict[str, Any]:
    """Read ``preprocessor_config.json``, or the part of ``processor_config.json`` that is one.

    Args:
        folder: Of the model.
        image_size: Pixels of each side of what the image tower takes.

    Raises:
        WeightsUnavailable: Neither is there.
        BackboneError: It prepares pictures otherwise than for this model, or than is known here.
    """
    path = folder / "preprocessor_config.json"
    told: Any
    if path.is_file():
        told = read_json(path)
    elif (folder / "processor_config.json").is_file():
        path = folder / "processor_config.json"
        told = read_json(path).get("image_processor")
    else:
        raise WeightsUnavailable(
            f"there is no file {path}: which pixels the model takes is not told; fetch it from "
            "where the weights are from"
        )
    try:
        return _described(told, image_size)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BackboneError(f"{path} does not say how pictures are prepared: {error!r}") from error
    except BackboneError as error:
        raise BackboneError(f"{path}: {error}") from error


def _described(told: Any, image_size: int) -> dict[str, Any]:
    for step in ("do_resize", "do_rescale", "do_normalize"):
        if told.get(step, True) is not True:
            raise BackboneError(f"{step} is {told[step]}, and pictures are always prepared so here")
    if told.get("do_pad"):
        raise BackboneError("do_pad is true, and pictures are never filled up here")
    if abs(float(told.get("rescale_factor", 1 / 255)) * 255 - 1) > 1e-6:
        raise BackboneError(f"the rescale_factor is {told['rescale_factor']}, and not 1/255")
    resample = told.get("resample", 3)
    if resample not in _INTERPOLATIONS:
        raise BackboneError(f"resample {resample} is neither bilinear (2) nor bicubic (3)")
    return {
        "mean": channels(told["image_mean"], 0.0),
        "std": channels(told["image_std"], 0.01),
        "interpolation": _INTERPOLATIONS[resample],
        "resize_mode": _resizing(told, image_size),
    }


def _resizing(told: dict[str, Any], image_size: int) -> str:
    size, crop = told["size"], told.get("crop_size", image_size)
    if isinstance(size, int):
        size = {"shortest_edge": size}
    if isinstance(crop, int):
        crop = {"height": crop, "width": crop}
    whole = {"height": image_size, "width": image_size}
    if size == {"shortest_edge": image_size} and told.get("do_center_crop", True) is True:
        if crop == whole:
            return "shortest"
    elif size == whole and (told.get("do_center_crop") is not True or crop == whole):
        return "squash"
    raise BackboneError(
        f"it resizes to {size} and crops to {crop}, and the image tower takes {image_size} pixels"
    )
