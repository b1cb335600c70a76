"""Folders of ``transformers``: ``config.json`` beside the weights of a CLIP or a SigLIP."""

from __future__ import annotations

from pathlib import Path, PurePath
from typing import Any

import timm
from torch import Tensor
from transformers import CLIPConfig, SiglipConfig

from adapters.backbone_errors import BackboneError, WeightsUnavailable
from adapters.backbones.checkpoints.json_files import read_json
from adapters.backbones.checkpoints.state_dict import read_checkpoint
from adapters.backbones.checkpoints.transformers_names import clip_state, siglip_state
from adapters.backbones.checkpoints.transformers_pixels import pixels
from adapters.backbones.checkpoints.transformers_tokenizer import (
    check_clip_tokenizer,
    siglip_tokenizer,
)
from adapters.backbones.checkpoints.weights import Weights

CONFIG = "config.json"
_WHOLE = ("model.safetensors", "pytorch_model.bin")
_SIGLIP_SIZES = {
    (768, 12, 12, 3072): "base",
    (1024, 24, 16, 4096): "large",
    (1152, 27, 16, 4304): "so400m",
    (1536, 40, 16, 6144): "giantopt",
}
"""Image towers that timm has, by width, layers, heads and width of the hidden layer."""
_CLIP_WORDS = 49408
_TANH = ("gelu_pytorch_tanh", "gelu_new")


def recognised_transformers(folder: Path, weights: Path | None = None) -> Weights:
    """Read a folder.

    Args:
        folder: Has ``config.json`` and ``preprocessor_config.json``.
        weights: The file of its weights; found by its usual names if that is not given.

    Raises:
        WeightsUnavailable: A file is missing.
        UnsafeWeights: The weights are a pickle of more than tensors.
        BackboneError: It is of another model, or what its files say does not go together.
        OSError: A file cannot be read.
    """
    told = read_json(folder / CONFIG)
    kind = told.get("model_type")
    state = read_checkpoint(weights).state if weights else _state(folder)
    if kind == "clip":
        return _clip(folder, _configuration(CLIPConfig, told), clip_state(state))
    if kind == "siglip":
        return _siglip(folder, _configuration(SiglipConfig, told), siglip_state(state))
    raise BackboneError(
        f"{folder / CONFIG} is of a model of the type {kind!r}; those of the types clip (CLIPModel)"
        " and siglip (SiglipModel: SigLIP, and SigLIP2 of a fixed size) can be read"
    )


def _configuration(kind: Any, told: dict[str, Any]) -> Any:
    try:
        return kind.from_dict(told)
    # Whatever the library says of values that it does not take.
    except Exception as error:
        raise BackboneError(f"{CONFIG} does not describe a model: {error}") from error


def _state(folder: Path) -> dict[str, Tensor]:
    for name in _WHOLE:
        if (folder / name).is_file():
            return read_checkpoint(folder / name).state
        index = folder / f"{name}.index.json"
        if index.is_file():
            return _shards(index)
    raise WeightsUnavailable(f"there are no weights in {folder}: {' or '.join(_WHOLE)}")


def _shards(index: Path) -> dict[str, Tensor]:
    where = read_json(index).get("weight_map")
    if not isinstance(where, dict) or not all(isinstance(each, str) for each in where.values()):
        raise BackboneError(f"{index} does not say which file has which tensor")
    found: dict[str, Tensor] = {}
    for name in sorted(set(where.values())):
        if PurePath(name).name != name or name in ("", ".."):
            raise BackboneError(f"{index} names {name!r}, which is no file beside it")
        path = index.parent / name
        if not path.is_file():
            raise WeightsUnavailable(f"{index} names {name}, which is not there")
        shard = read_checkpoint(path).state
        if set(shard) != {tensor for tensor, file in where.items() if file == name}:
            raise BackboneError(f"{path} has other tensors than {index.name} says")
        found |= shard
    return found


def _clip(folder: Path, config: Any, state: dict[str, Tensor]) -> Weights:
    text, image = config.text_config, config.vision_config
    quick = {each.hidden_act == "quick_gelu" for each in (text, image)}
    if len(quick) != 1:
        raise BackboneError(
            f"{folder / CONFIG}: the towers have different activations ({text.hidden_act} and "
            f"{image.hidden_act}), which open_clip has not"
        )
    if text.vocab_size != _CLIP_WORDS:
        raise BackboneError(
            f"{folder / CONFIG}: CLIP's tokenizer has {_CLIP_WORDS} words, not {text.vocab_size}"
        )
    if text.eos_token_id not in (2, text.vocab_size - 1):  # 2: as the first configurations said
        raise BackboneError(
            f"{folder / CONFIG}: texts end with {text.eos_token_id}, and CLIP's tokenizer ends "
            f"them with {text.vocab_size - 1}"
        )
    size = _square(folder, image)
    own = check_clip_tokenizer(folder)
    return Weights(
        found=f"a CLIPModel of transformers, {image.hidden_act}",
        state=state,
        model_cfg={
            "embed_dim": config.projection_dim,
            "quick_gelu": quick.pop(),
            "vision_cfg": {
                "image_size": size,
                "layers": image.num_hidden_layers,
                "width": image.hidden_size,
                "head_width": image.hidden_size // image.num_attention_heads,
                "mlp_ratio": image.intermediate_size / image.hidden_size,
                "patch_size": image.patch_size,
                **_details(folder, image, 1e-5),
            },
            "text_cfg": {
                "context_length": text.max_position_embeddings,
                "vocab_size": text.vocab_size,
                "width": text.hidden_size,
                "heads": text.num_attention_heads,
                "layers": text.num_hidden_layers,
                "mlp_ratio": text.intermediate_size / text.hidden_size,
                **_details(folder, text, 1e-5),
            },
        },
        preprocess_cfg=pixels(folder, size),
        remarks=() if own else ("there are no files of a tokenizer; CLIP's own is taken",),
    )


def _siglip(folder: Path, config: Any, state: dict[str, Tensor]) -> Weights:
    text, image = config.text_config, config.vision_config
    size = _square(folder, image)
    sizes = (
        image.hidden_size,
        image.num_hidden_layers,
        image.num_attention_heads,
        image.intermediate_size,
    )
    tower = f"vit_{_SIGLIP_SIZES.get(sizes, '?')}_patch{image.patch_size}_siglip_{size}"
    if image.hidden_act not in ("gelu", *_TANH):
        raise BackboneError(
            f"{folder / CONFIG}: the image tower computes {image.hidden_act}, and open_clip's of "
            "SigLIP GELU"
        )
    if not timm.is_model(tower) or not image.vision_use_head or image.layer_norm_eps != 1e-6:
        raise BackboneError(
            f"{folder / CONFIG}: open_clip has no image tower of SigLIP with patches of "
            f"{image.patch_size} and {size} pixels, and {sizes} as its width, layers, heads and "
            "hidden layer"
        )
    return Weights(
        found=f"a SiglipModel of transformers, {tower}",
        state=state,
        model_cfg={
            "embed_dim": text.projection_size,
            "init_logit_bias": -10,
            "custom_text": True,
            "vision_cfg": {
                "image_size": size,
                "timm_model_name": tower,
                "timm_model_pretrained": False,
                "timm_pool": "map",
                "timm_proj": "none",
            },
            "text_cfg": {
                "context_length": text.max_position_embeddings,
                "vocab_size": text.vocab_size,
                "hf_tokenizer_name": "tokenizer.json",
                "tokenizer_kwargs": {"clean": "canonicalize"},
                "width": text.hidden_size,
                "heads": text.num_attention_heads,
                "layers": text.num_hidden_layers,
                "mlp_ratio": text.intermediate_size / text.hidden_size,
                "no_causal_mask": True,
                "proj_bias": True,
                "pool_type": "last",
                "norm_kwargs": {"eps": text.layer_norm_eps},
                **_details(folder, text, text.layer_norm_eps),
            },
        },
        preprocess_cfg=pixels(folder, size),
        tokenizer=siglip_tokenizer(folder, text.vocab_size, text.max_position_embeddings),
    )


def _square(folder: Path, image: Any) -> int:
    size, patch = image.image_size, image.patch_size
    if image.num_channels != 3:
        raise BackboneError(
            f"{folder / CONFIG}: pictures have 3 channels, not {image.num_channels}"
        )
    if type(size) is not int or type(patch) is not int or size <= 0 or patch <= 0 or size % patch:
        raise BackboneError(f"{folder / CONFIG}: {size} pixels are no square of patches of {patch}")
    return size


def _details(folder: Path, tower: Any, usual: float) -> dict[str, Any]:
    """What open_clip has to be told of a tower that is not its default."""
    found: dict[str, Any] = {}
    if tower.hidden_act in _TANH:
        found["act_kwargs"] = {"approximate": "tanh"}
    elif tower.hidden_act not in ("quick_gelu", "gelu"):
        raise BackboneError(f"{folder / CONFIG}: the activation {tower.hidden_act!r} is not known")
    if tower.layer_norm_eps != usual:
        found["norm_kwargs"] = {"eps": tower.layer_norm_eps}
    return found
