"""Embeddings of a backbone against those of the library that the weights were made for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import normalize

from adapters.backbones import Backbone, DualEncoder
from adapters.backbones.checkpoints import Weights
from adapters.corrections import Uncorrected

SAME, CLOSE, FAR = 1 - 1e-9, 0.99999, 1 - 1e-5
"""Cosines: of the same pixels or words, of a picture prepared twice, of another activation."""


def picture(width: int = 70, height: int = 50) -> Image.Image:
    """Noise at a coarse scale, so that resizing it in two ways differs little."""
    noise = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)


def served(encoder: DualEncoder) -> Backbone:
    """A backbone as it would be served, without a correction."""
    return Backbone(encoder, Uncorrected())


def own_pixels(backbone: Backbone, image: Image.Image) -> Tensor:
    """(1, 3, H, W) normalised pixels that a backbone makes of an image."""
    pixels = backbone.preprocess(image).permute(2, 0, 1).float() / 255
    mean, std = (each.view(3, 1, 1) for each in (backbone.framing.mean, backbone.framing.std))
    return ((pixels - mean) / std).unsqueeze(0)


def cosines(found: Tensor, expected: Tensor) -> Tensor:
    """Cosine of each row of n embeddings with that of n others."""
    return (normalize(found.double(), dim=1) * normalize(expected.double(), dim=1)).sum(dim=1)


def with_other_activation(weights: Weights) -> Backbone:
    """A backbone of the same weights that computes GELU for QuickGELU, and the reverse."""
    config = {**weights.model_cfg, "quick_gelu": not weights.model_cfg["quick_gelu"]}
    for tower in ("vision_cfg", "text_cfg"):
        config[tower] = {key: each for key, each in config[tower].items() if key != "act_kwargs"}
    other = replace(weights, model_cfg=config)
    return served(other.encoder("other"))


def images_of(backbone: Backbone, image: Image.Image) -> Tensor:
    """(1, d) the frozen embedding of an image."""
    return backbone.encode_images(torch.stack([backbone.preprocess(image)])).frozen
