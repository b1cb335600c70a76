"""The weights of the two towers, under the names which timm and transformers give them."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping

import safetensors.torch
import torch
from torch import Tensor

from adapters.backbones.lite.pinned_files import IMAGE_WEIGHTS, TEXT_WEIGHTS

IMAGE_WIDTH = 1280
"""Width of the image tower's pooled feature."""
TEXT_WIDTH = 384
"""Width of the text tower's mean-pooled feature."""

# Blocks in each of the seven stages of EfficientNet-Lite0 (the published file numbers its 16
# blocks through, timm numbers them within their stage).
_STAGES = (1, 2, 2, 3, 3, 4, 1)
_BLOCK_NAMES = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
# The first block has no expansion, and timm numbers its layers without a gap.
_FIRST_BLOCK_NAMES = {
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn1",
    "_project_conv": "conv_pw",
    "_bn2": "bn2",
}
_OUTER_NAMES = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}


def timm_name(name: str) -> str:
    """Return timm's name of a parameter of the published EfficientNet-Lite0 file.

    Raises:
        KeyError: The file has no such layer.
    """
    block = re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", name)
    if block is None:
        layer, _, parameter = name.partition(".")
        return f"{_OUTER_NAMES[layer]}.{parameter}"
    index, layer, parameter = int(block[1]), block[2], block[3]
    names = _BLOCK_NAMES if index else _FIRST_BLOCK_NAMES
    for stage, length in enumerate(_STAGES):
        if index < length:
            return f"blocks.{stage}.{index}.{names[layer]}.{parameter}"
        index -= length
    raise KeyError(name)


def image_tower_state() -> dict[str, Tensor]:
    """Return the state of timm's ``tf_efficientnet_lite0`` with its ImageNet-1k classifier.

    Raises:
        WeightsUnavailable: The file is missing or not the expected one.
    """
    content = io.BytesIO(IMAGE_WEIGHTS.read())
    published: Mapping[str, Tensor] = torch.load(content, map_location="cpu", weights_only=True)
    return {timm_name(name): value for name, value in published.items()}


def image_trunk_state() -> dict[str, Tensor]:
    """Return `image_tower_state` without the classifier."""
    state = image_tower_state()
    return {name: value for name, value in state.items() if not name.startswith("classifier.")}


def text_tower_state() -> dict[str, Tensor]:
    """Return the state of the text tower as a ``transformers.BertModel`` without its pooler.

    Raises:
        WeightsUnavailable: The file is missing or not the expected one.
    """
    state = safetensors.torch.load(TEXT_WEIGHTS.read())
    return {
        name: value
        for name, value in state.items()
        # The position numbers are a constant which transformers makes for itself.
        if not name.startswith("pooler.") and name != "embeddings.position_ids"
    }
