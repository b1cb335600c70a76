"""The forward pass from tokens to text embeddings: what is compiled of the text tower."""

from __future__ import annotations

from typing import Any

import torch
from open_clip.transformer import text_global_pool
from torch import Tensor, nn
from torch.nn.functional import linear, normalize, scaled_dot_product_attention

from adapters.backbone_errors import PromptError
from adapters.engines.lean import heads, is_plain
from adapters.prompts.towers import TextTower, towers


class WholeTextPass(nn.Module):
    """A text tower as its model runs it.

    Args:
        model: An open_clip model.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model: Any = model

    def forward(self, tokens: Tensor) -> Tensor:
        """Embed (n, L) tokens as (n, d) unit rows."""
        return normalize(self.model.encode_text(tokens).float(), dim=-1)


class CausalTextPass(nn.Module):
    """open_clip's own causal text tower, for texts of any length up to its context.

    Args:
        tower: Of which :func:`causal` is true.
    """

    def __init__(self, tower: TextTower) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, tokens: Tensor) -> Tensor:
        """Embed (n, L) tokens, which end at or after the last text's end, as (n, d) unit rows."""
        tower = self.tower
        x = tower.token_embedding(tokens) + tower.positional_embedding[: tokens.shape[1]]
        for block in tower.transformer.resblocks:
            x = x + block.ls_1(_attended(block.attn, block.ln_1(x)))
            x = x + block.ls_2(block.mlp(block.ln_2(x)))
        pooled = text_global_pool(tower.ln_final(x), tokens, tower.pool_type, tower.end_id)
        projection = tower.text_projection
        if isinstance(projection, nn.Linear):
            pooled = projection(pooled)
        elif projection is not None:
            pooled = pooled @ projection
        return normalize(pooled.float(), dim=-1)


def text_pass(model: nn.Module) -> nn.Module:
    """Make the pass of a model's text tower: the causal one where it is of that kind."""
    try:
        tower = towers(model)[1]
    except PromptError:
        return WholeTextPass(model)
    return CausalTextPass(tower) if causal(tower) else WholeTextPass(model)


def causal(tower: TextTower) -> bool:
    """Whether nothing after the end of a text reaches its embedding, and the blocks are plain."""
    mask = tower.mask
    if mask is None or tower.pool_type not in ("argmax", "eos"):
        return False
    below = torch.ones_like(mask).tril().bool()
    looks_back = bool((mask[below] == 0).all() and (mask[~below] == -torch.inf).all())
    return looks_back and all(is_plain(block) for block in tower.transformer.resblocks)


def _attended(attention: nn.MultiheadAttention, x: Tensor) -> Tensor:
    """Causal attention of (n, t, d) tokens."""
    packed = linear(x, attention.in_proj_weight, attention.in_proj_bias)
    queries, keys, values = heads(attention, packed)
    attended = scaled_dot_product_attention(queries, keys, values, is_causal=True)
    joined: Tensor = attention.out_proj(attended.transpose(1, 2).flatten(2))
    return joined
