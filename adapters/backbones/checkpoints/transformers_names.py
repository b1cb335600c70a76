"""Tensors of ``transformers``' CLIP and SigLIP by the names that open_clip has for them."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from adapters.backbone_errors import BackboneError

_LAYER = re.compile(r"(text|vision)_model\.encoder\.layers\.(\d{1,4})\.(.+)\.(weight|bias)")
_JOINED = ("q_proj", "k_proj", "v_proj")

_CLIP = {
    "logit_scale": "logit_scale",
    "text_projection.weight": "text_projection",
    "text_model.embeddings.position_embedding.weight": "positional_embedding",
    "text_model.embeddings.token_embedding.weight": "token_embedding.weight",
    "text_model.final_layer_norm.weight": "ln_final.weight",
    "text_model.final_layer_norm.bias": "ln_final.bias",
    "visual_projection.weight": "visual.proj",
    "vision_model.embeddings.class_embedding": "visual.class_embedding",
    "vision_model.embeddings.patch_embedding.weight": "visual.conv1.weight",
    "vision_model.embeddings.position_embedding.weight": "visual.positional_embedding",
    "vision_model.pre_layrnorm.weight": "visual.ln_pre.weight",
    "vision_model.pre_layrnorm.bias": "visual.ln_pre.bias",
    "vision_model.post_layernorm.weight": "visual.ln_post.weight",
    "vision_model.post_layernorm.bias": "visual.ln_post.bias",
}
_TRANSPOSED = {"text_projection", "visual.proj"}

_SIGLIP = {
    "logit_scale": "logit_scale",
    "logit_bias": "logit_bias",
    "text_model.embeddings.position_embedding.weight": "text.positional_embedding",
    "text_model.embeddings.token_embedding.weight": "text.token_embedding.weight",
    "text_model.final_layer_norm.weight": "text.ln_final.weight",
    "text_model.final_layer_norm.bias": "text.ln_final.bias",
    "text_model.head.weight": "text.text_projection.weight",
    "text_model.head.bias": "text.text_projection.bias",
    "vision_model.embeddings.patch_embedding.weight": "visual.trunk.patch_embed.proj.weight",
    "vision_model.embeddings.patch_embedding.bias": "visual.trunk.patch_embed.proj.bias",
    "vision_model.embeddings.position_embedding.weight": "visual.trunk.pos_embed",
    "vision_model.post_layernorm.weight": "visual.trunk.norm.weight",
    "vision_model.post_layernorm.bias": "visual.trunk.norm.bias",
    "vision_model.head.probe": "visual.trunk.attn_pool.latent",
    "vision_model.head.attention.out_proj.weight": "visual.trunk.attn_pool.proj.weight",
    "vision_model.head.attention.out_proj.bias": "visual.trunk.attn_pool.proj.bias",
    "vision_model.head.layernorm.weight": "visual.trunk.attn_pool.norm.weight",
    "vision_model.head.layernorm.bias": "visual.trunk.attn_pool.norm.bias",
    "vision_model.head.mlp.fc1.weight": "visual.trunk.attn_pool.mlp.fc1.weight",
    "vision_model.head.mlp.fc1.bias": "visual.trunk.attn_pool.mlp.fc1.bias",
    "vision_model.head.mlp.fc2.weight": "visual.trunk.attn_pool.mlp.fc2.weight",
    "vision_model.head.mlp.fc2.bias": "visual.trunk.attn_pool.mlp.fc2.bias",
}
_POOL = "vision_model.head.attention.in_proj_"

_BLOCKS = {
    "open_clip": {
        "layer_norm1": "ln_1",
        "layer_norm2": "ln_2",
        "self_attn.out_proj": "attn.out_proj",
        "mlp.fc1": "mlp.c_fc",
        "mlp.fc2": "mlp.c_proj",
    },
    "timm": {
        "layer_norm1": "norm1",
        "layer_norm2": "norm2",
        "self_attn.out_proj": "attn.proj",
        "mlp.fc1": "mlp.fc1",
        "mlp.fc2": "mlp.fc2",
    },
}


def clip_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict of a ``CLIPModel``, as one of open_clip's ``CLIP``.

    Raises:
        BackboneError: It is another model's.
    """
    layers = {
        "text": ("transformer.resblocks", "open_clip"),
        "vision": ("visual.transformer.resblocks", "open_clip"),
    }
    found = _renamed(state, _CLIP, layers)
    return {
        name: each.T.contiguous() if name in _TRANSPOSED else each for name, each in found.items()
    }


def siglip_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict of a ``SiglipModel``, as one of open_clip's with timm's image tower.

    Raises:
        BackboneError: It is another model's.
    """
    layers = {
        "text": ("text.transformer.resblocks", "open_clip"),
        "vision": ("visual.trunk.blocks", "timm"),
    }
    pooled = {name: each for name, each in state.items() if name.startswith(_POOL)}
    rest = {name: each for name, each in state.items() if name not in pooled}
    found = _renamed(rest, _SIGLIP, layers)
    for name, each in pooled.items():
        kind = name.removeprefix(_POOL)
        width = len(each) // 3
        # timm asks with the probe by one layer, and the patches by another.
        found[f"visual.trunk.attn_pool.q.{kind}"] = each[:width].contiguous()
        found[f"visual.trunk.attn_pool.kv.{kind}"] = each[width:].contiguous()
    if "visual.trunk.pos_embed" in found:
        found["visual.trunk.pos_embed"] = found["visual.trunk.pos_embed"].unsqueeze(0)
    return found


def of_transformers(state: Mapping[str, Tensor]) -> bool:
    """Whether names are those of a ``CLIPModel`` or a ``SiglipModel``."""
    return "text_model.embeddings.token_embedding.weight" in state


def _renamed(
    state: Mapping[str, Tensor],
    names: Mapping[str, str],
    layers: Mapping[str, tuple[str, str]],
) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    parts: dict[tuple[str, str], dict[str, Tensor]] = {}
    for name, each in state.items():
        if name in names:
            found[names[name]] = each
        elif match := _LAYER.fullmatch(name):
            tower, number, part, kind = match.groups()
            place, style = layers[tower]
            prefix = f"{place}.{number}"
            if part in _BLOCKS[style]:
                found[f"{prefix}.{_BLOCKS[style][part]}.{kind}"] = each
            elif part.startswith("self_attn.") and part[10:] in _JOINED:
                joined = f"attn.in_proj_{kind}" if style == "open_clip" else f"attn.qkv.{kind}"
                parts.setdefault((prefix, joined), {})[part[10:]] = each
            else:
                raise BackboneError(f"it has a tensor {name}, which is of another model")
        elif not name.endswith(".position_ids"):  # counted upwards, saved by older versions
            raise BackboneError(f"it has a tensor {name}, which is of another model")
    for (prefix, joined), three in parts.items():
        if set(three) != set(_JOINED):
            raise BackboneError(f"it has not all of {', '.join(_JOINED)} for {prefix}")
        found[f"{prefix}.{joined}"] = torch.cat([three[part] for part in _JOINED])
    return found
