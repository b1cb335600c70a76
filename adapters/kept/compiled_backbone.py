"""A backbone from a kept model: nothing of PyTorch's model is in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from adapters.backbones import Backbone
from adapters.backbones.antialias_framing import resized_by
from adapters.backbones.framing import Framing
from adapters.engines import openvino
from adapters.engines.agreement import likeness, probes, require
from adapters.engines.quantisation import engine_in
from adapters.kept.kept_model import IMAGE, KeptModel
from adapters.kept.text_tower import EmbedTexts, TextTower
from adapters.recipe import Recipe


@dataclass(frozen=True, slots=True)
class CorrectedBy:
    """Which correction a compiled image tower has in it.

    Attributes:
        name: Its name.
        joint: Whether what it gives is comparable with texts.
    """

    name: str
    joint: bool


class CompiledBackbone(Backbone):
    """A `Backbone` on the processor, of compiled towers.

    Args:
        kept: What it is made of.
        recipe: How images and texts are embedded.
        otherwise: Makes what embeds texts if the kept text tower cannot be used.

    Raises:
        DisagreementError: The image tower does not embed what PyTorch embeds.
        Exception: The kept model is damaged.
    """

    def __init__(
        self, kept: KeptModel, recipe: Recipe, otherwise: Callable[[], EmbedTexts]
    ) -> None:
        about = kept.about
        self.model_fingerprint = about.fingerprint
        self.recipe = recipe
        self.name, self.templates = about.name, about.templates
        self.correction = CorrectedBy(about.correction, about.joint)
        self.device = torch.device("cpu")
        self.framing = Framing(about.transforms)
        self._frame = resized_by(recipe.resizing, self.framing)
        self.logit_scale = about.logit_scale
        self.fingerprint = self.recipe.fingerprint(about.fingerprint)
        self.image_size = min(about.height, about.width)
        self._engine = engine_of(kept, self.recipe)
        self.engine = self._engine.name
        self.passes, self.batch = self._engine.passes, self._engine.batch
        self.width, self.corrected_width = kept.frozen.shape[1], kept.corrected.shape[1]
        # As many as the image tower has, whatever PyTorch may take when the first text comes.
        self._texts = TextTower(kept, self._engine.precision, torch.get_num_threads(), otherwise)

    def text_lengths(self, texts: Sequence[str]) -> list[int]:
        """How many tokens each of n texts has."""
        return self._texts.lengths(texts)

    def _embed_texts(self, texts: Sequence[str]) -> Tensor:
        return self._texts(texts)


def engine_of(kept: KeptModel, recipe: Recipe) -> openvino.OpenVINO:
    """Compile a kept image tower in the precision of a recipe.

    It was compared with PyTorch when it was converted. What is seen here is that the files are
    whole, and that this processor computes what that one did: all probes in a pass, which also
    warms up, and one alone.

    Raises:
        DisagreementError: It does not embed what PyTorch embeds.
        Exception: It is damaged.
    """
    path = kept.folder / IMAGE
    engine = engine_in(recipe.precision, openvino.read(path), path)
    pixels = probes(kept.about.height, kept.about.width)
    expected = kept.frozen, kept.corrected
    # Of rounded embeddings the median alone tells anything.
    parts = (slice(None), slice(1)) if engine.precision == "float32" else (slice(None),)
    for part in parts:
        rows = engine(pixels[part])
        for found, wanted in zip(rows, expected, strict=True):
            require(float(likeness(found, wanted[part], engine.precision)), engine.precision)
    return engine
