"""The dual encoder `lite`, put together as an open_clip model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import open_clip
import torch
from open_clip.model import set_model_preprocess_cfg
from open_clip.tokenizer import HFTokenizer
from open_clip.transform import PreprocessCfg, image_transform_v2
from torch import Tensor

from adapters.backbones.dual_encoder import DualEncoder, Preprocess, Tokenizer
from adapters.backbones.lite.package import ADAPTER, LITE, TEMPLATES
from adapters.backbones.lite.pinned_files import TOKENIZER_FILES, verified_text_directory
from adapters.backbones.lite.projections import EMBED_DIM, KernelProjection, projections_state
from adapters.backbones.lite.tower_weights import TEXT_WIDTH, image_trunk_state, text_tower_state

IMAGE_SIZE = 224
CONTEXT_LENGTH = 64
"""Tokens of a text that are read; a prompt with a class name is much shorter."""

# The published weights were trained on pixels (v - 127) / 128, v in 0..255.
_PREPROCESS = {"size": IMAGE_SIZE, "mean": (0.498,) * 3, "std": (0.502,) * 3}


def build_lite() -> DualEncoder:
    """Build the dual encoder `lite` offline: EfficientNet-Lite0 and MiniLM with our projections.

    Its towers and projections are compared with their SHA-256 whenever it is built, so none of
    them is fine-tuned, and neither kind of tower takes prompts.

    Returns:
        An open_clip ``CustomTextCLIP`` in eval mode, float32, on the CPU; preprocessing of an RGB
        image to (3, 224, 224) float32 (shortest side to 224, bicubic; centre crop;
        normalisation); a tokenizer of n texts to (n, L) int64 tokens, L the longest of them, at
        most `CONTEXT_LENGTH`.

    Raises:
        WeightsUnavailable: A file of the model is missing or not the expected one.
    """
    model = build_towers()
    learned = projections_state()
    model.text.proj = KernelProjection(TEXT_WIDTH, learned["text.proj.centres"].shape[0], EMBED_DIM)
    missing, unexpected = model.load_state_dict(learned, strict=False)
    left = [name for name in missing if ".trunk." not in name and ".transformer." not in name]
    if left or unexpected:
        raise ValueError(f"the projections do not fit: missing {left}, unexpected {unexpected}")
    return DualEncoder(
        name=LITE,
        model=model.eval(),
        preprocess=preprocessing(),
        tokenizer=tokenizer(),
        tokens={
            "kind": "wordpiece",
            "file": str(TOKENIZER_FILES[0].locate()),
            "context_length": CONTEXT_LENGTH,
            "padding": 0,
        },
        templates=TEMPLATES,
        adapter=ADAPTER,
        pools_before_projection=True,
        fine_tunable=False,
        promptable=False,
    )


def build_towers() -> Any:
    """Build the open_clip model with both towers loaded and its projections left random.

    Raises:
        WeightsUnavailable: A file of a tower is missing or not the expected one.
    """
    folder = str(verified_text_directory())
    # Constructed directly, not through open_clip's registry: a registered config would have to
    # be a file that names a folder of this one machine.
    with torch.random.fork_rng(devices=[]):  # random weights are drawn, then overwritten
        model = open_clip.CustomTextCLIP(
            embed_dim=EMBED_DIM,
            vision_cfg={
                "image_size": IMAGE_SIZE,
                "timm_model_name": "tf_efficientnet_lite0",
                "timm_pool": "avg",
                "timm_proj": "linear",
            },
            text_cfg={
                "context_length": CONTEXT_LENGTH,
                "hf_model_name": folder,
                "hf_model_pretrained": False,
                "hf_tokenizer_name": folder,
                "hf_pooler_type": "mean_pooler",
                "hf_proj_type": "linear",
            },
        )

    set_model_preprocess_cfg(model, _PREPROCESS)
    model.visual.trunk.load_state_dict(image_trunk_state())
    model.text.transformer.load_state_dict(text_tower_state())
    return model.eval()


def preprocessing() -> Preprocess:
    """Return the transform of an RGB image to what the image tower was trained on."""
    transform: Preprocess = image_transform_v2(PreprocessCfg(**_PREPROCESS), is_train=False)
    return transform


def tokenizer() -> Tokenizer:
    """Return MiniLM's tokenizer, read from its verified files.

    Columns in which every text is padding are cut off: the tower masks padding, so they
    change nothing, and short prompts are encoded several times faster.

    Raises:
        WeightsUnavailable: A file of the tokenizer is missing or not the expected one.
    """
    padded = HFTokenizer(str(verified_text_directory()), context_length=CONTEXT_LENGTH)
    padding: int = padded.tokenizer.pad_token_id

    def tokenize(texts: Sequence[str]) -> Tensor:
        tokens: Tensor = padded(list(texts))
        longest = int((tokens != padding).sum(dim=1).max())
        return tokens[:, :longest]

    return tokenize
