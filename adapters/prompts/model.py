"""An open_clip model whose towers take learned prompts."""

from __future__ import annotations

import json

import torch
from torch import Tensor, nn

from adapters.backbone_errors import PromptError
from adapters.backbones.dual_encoder import Tokenizer
from adapters.prompts.checkpoint import TrainedPrompts
from adapters.prompts.prompt_position import prompt_position
from adapters.prompts.towers import VisionTower, check_depth, towers


class PromptedVision(nn.Module):
    """An image tower with learned prompts: pixels in, embeddings out.

    Args:
        tower: To run.
        prompts: (depth, n, width).
    """

    def __init__(self, tower: VisionTower, prompts: Tensor) -> None:
        super().__init__()
        self.tower = tower
        self.prompts: Tensor
        self.register_buffer("prompts", prompts)

    def forward(self, pixels: Tensor) -> Tensor:
        """Embed (n, 3, H, W) pixels as (n, d)."""
        embedded: Tensor = self.tower(pixels, self.prompts.unbind())
        return embedded


class PromptedModel(nn.Module):
    """An open_clip model with learned prompts in both towers, as far as a `Backbone` needs one.

    Its state holds the prompts and their settings, so a fingerprint of it covers them.

    Args:
        model: open_clip model; its towers are used, not copied.
        tokenizer: Of the model.
        trained: The prompts.

    Raises:
        PromptError: The prompts do not fit the towers.
    """

    def __init__(self, model: nn.Module, tokenizer: Tokenizer, trained: TrainedPrompts) -> None:
        super().__init__()
        vision, self.text = towers(model)
        config = trained.config
        check_depth(config, vision, self.text)
        widths = trained.vision.shape[2], trained.text.shape[2]
        if widths != (vision.width, self.text.width):
            raise PromptError(
                f"these prompts are for towers of width {widths[0]} (images) and {widths[1]} "
                f"(texts), and this model's have {vision.width} and {self.text.width}"
            )
        self.visual = PromptedVision(vision, trained.vision)
        self.logit_scale = model.get_parameter("logit_scale")
        self._position = prompt_position(tokenizer, config)
        self._template = config.template
        settings = bytearray(json.dumps(config.as_dict(), sort_keys=True).encode())
        self.text_prompts: Tensor
        self.register_buffer("text_prompts", trained.text)
        self.register_buffer("settings", torch.frombuffer(settings, dtype=torch.uint8).clone())

    def encode_text(self, tokens: Tensor) -> Tensor:
        """Embed (N, context length) tokens of texts in the trained template as (N, d).

        Raises:
            PromptError: A text is written otherwise.
        """
        self._position.check(tokens, self._template)
        embedded: Tensor = self.text(tokens, self.text_prompts.unbind(), self._position.start)[0]
        return embedded
