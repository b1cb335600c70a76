"""Dead-code elimination in open_clip's ViT: a pass without what does not reach the embedding."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from open_clip.transformer import ResidualAttentionBlock, VisionTransformer
from torch import Tensor, nn
from torch.nn.functional import linear, scaled_dot_product_attention


@contextmanager
def lean(whole: nn.Module) -> Iterator[None]:
    """Within, an image tower computes the same embeddings from less; other kinds stay as they are.

    - Where the class token is the embedding, the last block computes that one alone: of the others
      only keys and values are needed. That is most of a block.
    - Queries, keys and values are read where their product has put them; PyTorch's module copies
      them apart first, three times the tokens.
    - Patches are projected by a product of matrices. A convolution whose windows do not overlap is
      one, but libraries look for the best convolution.

    To be compiled or recorded within. Hooks on the blocks, their norms and their MLPs run as ever.

    Args:
        whole: A module in evaluation mode that holds the image tower.
    """
    towers: list[Any] = [tower for tower in whole.modules() if type(tower) is VisionTransformer]
    changed = []
    for tower in towers:
        blocks = tower.transformer.resblocks
        for block in filter(is_plain, blocks):
            last = block is blocks[-1] and _is_class_token(tower)
            block.forward = partial(_forward, block, 1 if last else None)
            changed.append(block)
        if tower.conv1.bias is None and tower.conv1.stride == tower.conv1.kernel_size:
            tower.conv1.forward = partial(_projected, tower.conv1)
            changed.append(tower.conv1)
    try:
        yield
    finally:
        for module in changed:
            del module.forward


def is_plain(block: Any) -> bool:
    """Whether it is ``x + Attention(LN(x))``, then ``x + MLP(LN(x))``, and nothing else."""
    if type(block) is not ResidualAttentionBlock or hasattr(block, "ln_1_kv"):
        return False
    attention = block.attn
    packed = attention.in_proj_weight is not None and attention.in_proj_bias is not None
    return bool(packed and attention.batch_first and attention.bias_k is None)


def _is_class_token(tower: Any) -> bool:
    return tower.attn_pool is None and tower.pool_type == "tok" and not tower.output_tokens


def _forward(block: Any, first: int | None, x: Tensor, attn_mask: None = None) -> Tensor:
    """(n, t, d) tokens to as many, or to the first ones."""
    x = x[:, :first] + block.ls_1(_attended(block.attn, block.ln_1(x), first))
    passed: Tensor = x + block.ls_2(block.mlp(block.ln_2(x)))
    return passed


def _attended(attention: nn.MultiheadAttention, x: Tensor, first: int | None) -> Tensor:
    """Attention of the first of (n, t, d) tokens, or of all, to all."""
    weight, bias, width = attention.in_proj_weight, attention.in_proj_bias, attention.embed_dim
    if first is None:
        queries, keys, values = heads(attention, linear(x, weight, bias))
    else:
        (queries,) = heads(attention, linear(x[:, :first], weight[:width], bias[:width]))
        keys, values = heads(attention, linear(x, weight[width:], bias[width:]))
    attended = scaled_dot_product_attention(queries, keys, values)
    joined: Tensor = attention.out_proj(attended.transpose(1, 2).flatten(2))
    return joined


def heads(attention: nn.MultiheadAttention, packed: Tensor) -> tuple[Tensor, ...]:
    """Take (n, t, k·d) apart into k times (n, heads, t, d / heads), without a copy."""
    n, t, _ = packed.shape
    apart = packed.view(n, t, -1, attention.num_heads, attention.head_dim)
    return tuple(apart.permute(2, 0, 3, 1, 4))


def _projected(patches: nn.Conv2d, images: Tensor) -> Tensor:
    """(n, c, H, W) images to (n, d, H / p, W / q) projections of their patches."""
    n, channels, height, width = images.shape
    p, q = patches.kernel_size
    rows, columns = height // p, width // q
    whole = images[:, :, : rows * p, : columns * q]
    apart = whole.reshape(n, channels, rows, p, columns, q).permute(0, 2, 4, 1, 3, 5)
    projected = linear(apart.reshape(n, rows * columns, -1), patches.weight.flatten(1))
    return projected.transpose(1, 2).view(n, -1, rows, columns)
