"""An encoder of one set of learned prompts, whose towers it shares with others."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from adapters.backbones import Backbone
from adapters.embeddings import ImageEmbeddings
from adapters.prompts.checkpoint import TrainedPrompts
from adapters.prompts.shared_towers import SharedTowers
from adapters.recipe import Recipe


class PromptedEncoder(Backbone):
    """A `Backbone` with learned prompts in both towers, which it shares with other prompts.

    Class texts are written with the template of the prompts, whatever other templates are asked
    for, as by :class:`adapters.prompts.prompted_backbone.PromptedBackbone`, whose embeddings these
    are to float32 rounding.

    Attributes:
        vision: (depth, n, width), of the image tower; what a pass takes beside the pixels.

    Args:
        shared: The towers.
        trained: The prompts.
        called: What messages call them.
        model_fingerprint: Of the model without them: weights, preprocessing and correction.

    Raises:
        PromptError: They were trained with another backbone, or do not fit the towers.
    """

    def __init__(
        self, shared: SharedTowers, trained: TrainedPrompts, called: str, model_fingerprint: str
    ) -> None:
        self._model: Any = shared.prompted(trained, called)
        self._shared = shared
        self.vision: Tensor = self._model.visual.prompts
        self.name = shared.name
        self.templates = (trained.config.template,)
        self.correction = shared.correction
        self.device = shared.device
        self.framing = shared.framing
        self._tokenizer = shared.tokenizer
        self.logit_scale = shared.logit_scale
        self.model_fingerprint = model_fingerprint
        self.recipe = Recipe()
        self.fingerprint = prompted_fingerprint(model_fingerprint, trained.sha256)
        self._frame = shared.frame
        self.image_size = shared.image_size
        self._engine = self
        self.engine, self.passes, self.batch = "eager", shared.passes, shared.batch
        self.width, self.corrected_width = shared.width, shared.corrected_width

    def __call__(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Embed (n, H, W, 3) uint8 pixels, as an engine does."""
        rows = self._shared.embed(list(pixels), [self.vision] * len(pixels))
        return rows.frozen, rows.corrected

    def shared_pass(
        self, pictures: Sequence[Tensor], prompts: Sequence[Tensor | None]
    ) -> ImageEmbeddings:
        """Embed n pictures of (H, W, 3) uint8, each with prompts of its own; None: with these.

        Raises as :meth:`adapters.prompts.shared_towers.SharedTowers.embed`.
        """
        own = self.vision
        return self._shared.embed(pictures, [own if one is None else one for one in prompts])

    def templates_for(self, asked: object) -> tuple[str, ...]:
        """The template of the prompts; others are left aside."""
        del asked
        return self.templates


def prompted_fingerprint(model: str, prompts: str) -> str:
    """Hex digest of what decides the embeddings of a model with learned prompts.

    Args:
        model: Fingerprint of weights, preprocessing and correction.
        prompts: SHA-256 of their file.
    """
    return hashlib.sha256(f"{model} prompts {prompts}".encode()).hexdigest()
