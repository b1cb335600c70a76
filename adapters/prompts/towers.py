"""The towers of an open_clip model, run with prompts: deep prompting (MaPLe, CVPR 2023).

In a prompted layer the prompts of that layer take the place of what the layer before made of
its own. Without prompts a pass equals the model's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from open_clip import CLIP, CustomTextCLIP
from open_clip.transformer import TextTransformer, VisionTransformer, text_global_pool
from torch import Tensor, nn

from adapters.backbone_errors import PromptError
from adapters.prompts.config import CommaConfig

_TEXT_POOLS = ("first", "last", "argmax", "eos")
_SUPPORTED = (
    "prompts need an open_clip model with its own two towers, as ViT-B-16/openai or "
    "ViT-B-32/laion2b_s34b_b79k: a CLIP or CustomTextCLIP whose image tower is a "
    "VisionTransformer and whose text tower is a TextTransformer"
)


class VisionTower(nn.Module):
    """open_clip's ``VisionTransformer``; the prompts come after the patches, without a position.

    Args:
        tower: Stays as it is, and its hooks are run.
    """

    def __init__(self, tower: nn.Module) -> None:
        super().__init__()
        self.tower: Any = tower

    @property
    def layers(self) -> int:
        """Blocks of the tower."""
        return len(self.tower.transformer.resblocks)

    @property
    def width(self) -> int:
        """Of a token."""
        return int(self.tower.transformer.width)

    def forward(self, pixels: Tensor, prompts: Sequence[Tensor] = ()) -> Tensor:
        """Embed images.

        Args:
            pixels: (n, 3, H, W) normalised.
            prompts: (length, width) for each of the first layers, of all images, or
                (n, length, width), of each its own.

        Returns:
            (n, d) embeddings, not normalised; each of its own image and prompts alone.
        """
        x = self.tower._embeds(pixels)
        own = x.shape[1]
        for number, block in enumerate(self.tower.transformer.resblocks):
            if number < len(prompts):
                prompt = prompts[number]
                if number == 0:
                    # The tower normalises what enters it; that was done for the patches.
                    prompt = self.tower.ln_pre(prompt)
                x = torch.cat([x[:, :own], _of_rows(prompt.to(x.dtype), len(x))], dim=1)
            x = _run(self.tower.transformer, block, x)
        pooled: Tensor = self.tower._pool(x[:, :own])[0]
        return pooled if self.tower.proj is None else pooled @ self.tower.proj


class TextTower(nn.Module):
    """open_clip's ``TextTransformer``, or the same parts built into a ``CLIP``.

    Where attention is causal and the pooled token is the last of a text, the padding after it
    is left out: it changes nothing and is most of the cost.

    Args:
        tower: A ``TextTransformer`` or a ``CLIP``; stays as it is.
    """

    def __init__(self, tower: Any) -> None:
        super().__init__()
        self.token_embedding: nn.Embedding = tower.token_embedding
        self.positional_embedding: Tensor = tower.positional_embedding
        self.transformer: Any = tower.transformer
        self.ln_final: nn.Module = tower.ln_final
        self.text_projection = tower.text_projection
        self.mask: Tensor | None
        self.register_buffer("mask", tower.attn_mask, persistent=False)
        built_in = isinstance(tower, CLIP)
        self.pool_type: str = tower.text_pool_type if built_in else tower.pool_type
        self.end_id: int = tower.text_eos_id if built_in else tower.eos_id

    @property
    def layers(self) -> int:
        """Blocks of the tower."""
        return len(self.transformer.resblocks)

    @property
    def width(self) -> int:
        """Of a token."""
        return int(self.transformer.width)

    def ends(self, tokens: Tensor) -> Tensor:
        """(N,) position of the last token of each text that takes part in its embedding."""
        if self.mask is not None and self.pool_type == "argmax":
            return tokens.argmax(dim=-1)
        if self.mask is not None and self.pool_type == "eos":
            return (tokens == self.end_id).int().argmax(dim=-1)
        return torch.full((len(tokens),), tokens.shape[1] - 1, device=tokens.device)

    def forward(
        self,
        tokens: Tensor,
        prompts: Sequence[Tensor] = (),
        start: int = 1,
        last: int = 0,
        *,
        padded: bool = False,
    ) -> tuple[Tensor, Tensor]:
        """Embed texts.

        Args:
            tokens: (N, context length) of the tokenizer.
            prompts: (length, width) for each of the first layers.
            start: Position of the first prompt token in a text.
            last: How many of the last layers' outputs to return.
            padded: Whether the padding takes part, for its outputs.

        Returns:
            (N, d) embeddings, not normalised, and (last, N, L, width) outputs of the last
            layers, with L up to the end of the longest text, or of the padding.
        """
        if not padded:
            tokens = tokens[:, : int(self.ends(tokens).max()) + 1]
        length = tokens.shape[1]
        positions = self.positional_embedding[:length]
        mask = None if self.mask is None else self.mask[:length, :length]
        x = self.token_embedding(tokens) + positions
        outputs: list[Tensor] = []
        for number, block in enumerate(self.transformer.resblocks):
            if number < len(prompts):
                prompt = prompts[number]
                end = start + len(prompt)
                if number == 0:
                    prompt = prompt + positions[start:end]
                prompt = prompt.to(x.dtype).expand(len(x), -1, -1)
                x = torch.cat([x[:, :start], prompt, x[:, end:]], dim=1)
            x = _run(self.transformer, block, x, attn_mask=mask)
            if number >= self.layers - last:
                outputs.append(x)
        pooled = text_global_pool(self.ln_final(x), tokens, self.pool_type, self.end_id)
        if isinstance(self.text_projection, nn.Linear):
            pooled = self.text_projection(pooled)
        elif self.text_projection is not None:
            pooled = pooled @ self.text_projection
        return pooled, torch.stack(outputs) if outputs else x.new_empty(0, *x.shape)


def towers(model: nn.Module) -> tuple[VisionTower, TextTower]:
    """Take the towers of a model.

    Raises:
        PromptError: They are of another kind; the message says which are supported.
    """
    if not isinstance(model, CLIP | CustomTextCLIP):
        raise PromptError(f"{_SUPPORTED}; this model is a {type(model).__name__}")
    if not isinstance(model.visual, VisionTransformer):
        trunk = getattr(model.visual, "trunk", None)
        tower = type(model.visual if trunk is None else trunk).__name__
        source = "" if trunk is None else " of timm"
        raise PromptError(f"{_SUPPORTED}; the image tower of this one is a {tower}{source}")
    text: Any = model if isinstance(model, CLIP) else model.text
    if not isinstance(text, CLIP | TextTransformer):
        raise PromptError(f"{_SUPPORTED}; the text tower of this one is a {type(text).__name__}")
    if isinstance(text, TextTransformer) and (text.cls_emb is not None or text.use_pad_mask):
        raise PromptError(f"{_SUPPORTED}; the text tower of this one has a class token of its own")
    vision, texts = VisionTower(model.visual), TextTower(text)
    if texts.pool_type not in _TEXT_POOLS:
        raise PromptError(f"{_SUPPORTED}; the text tower of this one pools no token")
    return vision, texts


def check_depth(config: CommaConfig, vision: VisionTower, text: TextTower) -> None:
    """See that there are as many layers as settings ask for.

    Raises:
        PromptError: There are fewer.
    """
    layers = min(vision.layers, text.layers)
    if config.depth > layers:
        raise PromptError(
            f"{config.depth} layers are to be prompted, and the image tower has {vision.layers}, "
            f"the text tower {text.layers}; give a depth of {layers} or less"
        )
    if config.last_layers > text.layers:
        raise PromptError(
            f"texts are to be compared in {config.last_layers} layers, and the text tower has "
            f"{text.layers}"
        )


def _of_rows(prompt: Tensor, rows: int) -> Tensor:
    """Prompts of all rows, of which there may be more by now: an adapter's hooks append as many."""
    if prompt.ndim == 2:
        return prompt.expand(rows, -1, -1)
    return prompt.repeat(rows // len(prompt), 1, 1)


def _run(transformer: Any, block: nn.Module, x: Tensor, **options: Tensor | None) -> Tensor:
    if transformer.batch_first:
        done: Tensor = block(x, **options)
        return done
    done = block(x.transpose(0, 1), **options)
    return done.transpose(0, 1)
