"""CLIP as OpenAI wrote it: its configuration, read from the shapes of its tensors.

The rules are those of ``build_model`` in OpenAI's ``clip/model.py`` (github.com/openai/CLIP): a
head of attention has 64 channels, the input is as large as the grid of position embeddings.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from adapters.backbone_errors import BackboneError

OPENAI_PIXELS = {
    "mean": [0.48145466, 0.4578275, 0.40821073],
    "std": [0.26862954, 0.26130258, 0.27577711],
    "interpolation": "bicubic",
    "resize_mode": "shortest",
}
"""How OpenAI's ``clip.load`` prepares pictures, in open_clip's words."""

_HEAD = 64
_TOLD = ("input_resolution", "context_length", "vocab_size")
"""Numbers that OpenAI's archives hold beside the weights."""


def openai_configuration(state: Mapping[str, Tensor], quick_gelu: bool) -> dict[str, Any]:
    """open_clip's configuration of a CLIP with OpenAI's names and sizes.

    Args:
        state: Its tensors; also what OpenAI's archives tell beside the weights.
        quick_gelu: Which activation it has.

    Raises:
        BackboneError: It is no CLIP, or what it tells is not what its tensors have.
    """
    text_width = _shape(state, "ln_final.weight", 1)[0]
    context_length = _shape(state, "positional_embedding", 2)[0]
    vocabulary = _shape(state, "token_embedding.weight", 2)[0]
    image = _resnet(state) if "visual.layer1.0.conv1.weight" in state else _vit(state)
    told = {"input_resolution": image["image_size"]}
    told |= {"context_length": context_length, "vocab_size": vocabulary}
    for name in _TOLD:
        if name in state and (state[name].numel() != 1 or int(state[name]) != told[name]):
            raise BackboneError(f"it says another {name} than its tensors have, {told[name]}")
    return {
        "embed_dim": _shape(state, "text_projection", 2)[1],
        "quick_gelu": quick_gelu,
        "vision_cfg": image,
        "text_cfg": {
            "context_length": context_length,
            "vocab_size": vocabulary,
            "width": text_width,
            "heads": _heads(text_width),
            "layers": _layers(state, r"transformer\.resblocks\.(\d+)\."),
        },
    }


def without_told(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights alone."""
    return {name: each for name, each in state.items() if name not in _TOLD}


def told_beside(state: Mapping[str, Tensor]) -> bool:
    """Whether it holds what only OpenAI's archives, and state dicts made of them, hold."""
    return any(name in state for name in _TOLD)


def _vit(state: Mapping[str, Tensor]) -> dict[str, Any]:
    width, _, patch, _ = _shape(state, "visual.conv1.weight", 4)
    places = _shape(state, "visual.positional_embedding", 2)[0]
    _heads(width)
    return {
        "image_size": patch * _side(places),
        "layers": _layers(state, r"visual\.transformer\.resblocks\.(\d+)\."),
        "width": width,
        "patch_size": patch,
    }


def _resnet(state: Mapping[str, Tensor]) -> dict[str, Any]:
    width = _shape(state, "visual.layer1.0.conv1.weight", 4)[0]
    places = _shape(state, "visual.attnpool.positional_embedding", 2)[0]
    blocks = [_layers(state, rf"visual\.layer{part}\.(\d+)\.") for part in (1, 2, 3, 4)]
    return {"image_size": 32 * _side(places), "layers": blocks, "width": width, "patch_size": None}


def _side(places: int) -> int:
    side = math.isqrt(places - 1) if places > 1 else 0
    if not side or side * side + 1 != places:
        raise BackboneError(f"its {places} position embeddings are those of no square picture")
    return side


def _heads(width: int) -> int:
    if width < _HEAD or width % _HEAD:
        raise BackboneError(
            f"its width {width} is no multiple of the {_HEAD} channels of OpenAI's heads; name the "
            "model that it is of"
        )
    return width // _HEAD


def _layers(state: Mapping[str, Tensor], pattern: str) -> int:
    """How many numbers a part of a name takes: all from 0 on."""
    found = {int(match[1]) for name in state if (match := re.match(pattern, name))}
    if not found or found != set(range(len(found))):
        raise BackboneError("it has not all layers of a CLIP")
    return len(found)


def _shape(state: Mapping[str, Tensor], name: str, dimensions: int) -> tuple[int, ...]:
    if name not in state:
        raise BackboneError(f"it is no CLIP of OpenAI's layout: it has no {name}")
    shape = tuple(state[name].shape)
    if len(shape) != dimensions or 0 in shape:
        raise BackboneError(f"it is no CLIP of OpenAI's layout: {name} has the shape {shape}")
    return shape
