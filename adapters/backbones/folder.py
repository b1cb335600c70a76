"""An open_clip model as a folder, which ``local-dir:FOLDER`` loads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import open_clip
from open_clip.factory import parse_model_name
from open_clip.tokenizer import HFTokenizer
from safetensors.torch import save_model
from torch import nn

from adapters.backbone_errors import BackboneError
from adapters.backbones.folder_files import CONFIG_NAME, WEIGHTS_NAME
from adapters.whole_files import written_whole


def folder_config(
    name: str,
    model: nn.Module,
    tokenizer: object,
    model_cfg: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return what ``open_clip_config.json`` says of a model.

    Args:
        name: What it was loaded by, see :func:`adapters.backbones.open_clip_models.load_open_clip`.
        model: The model.
        tokenizer: Its tokenizer.
        model_cfg: Its configuration, where that is not open_clip's own of this name.

    Raises:
        BackboneError: The model cannot be described this way.
    """
    scheme, identifier = parse_model_name(name)
    config: Any = deepcopy(model_cfg)
    if config is None:
        config = open_clip.get_model_config(name if scheme else identifier.partition("/")[0])
    if config is None:
        raise BackboneError(f"open_clip has no config of {name} that could be written beside it")
    if scheme is None and model_cfg is None:
        # Weights decide the activation, see `load_open_clip`.
        tag = open_clip.get_pretrained_cfg(*identifier.split("/", 1)) or {}
        config["quick_gelu"] = bool(config.get("quick_gelu") or tag.get("quick_gelu"))
    if isinstance(tokenizer, HFTokenizer):
        # With any name here, open_clip reads the tokenizer from the folder.
        config["text_cfg"].setdefault("hf_tokenizer_name", identifier)
    return {"model_cfg": config, "preprocess_cfg": open_clip.get_model_preprocess_cfg(model)}


def write_folder(
    folder: Path,
    name: str,
    model: nn.Module,
    tokenizer: Any,
    model_cfg: Mapping[str, Any] | None = None,
) -> None:
    """Write config, weights and, where it is not open_clip's own, the tokenizer.

    Args:
        folder: Is made.
        name: What the model was loaded by.
        model: The model, with any weights.
        tokenizer: Its tokenizer.
        model_cfg: As for :func:`folder_config`.

    Raises:
        BackboneError: The model cannot be described this way.
        OSError: The folder cannot be written.
    """
    config = folder_config(name, model, tokenizer, model_cfg)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG_NAME).write_text(json.dumps(config, indent=2) + "\n", "utf-8")
    if isinstance(tokenizer, HFTokenizer):
        tokenizer.tokenizer.save_pretrained(str(folder))
    with written_whole(folder / WEIGHTS_NAME) as part:
        save_model(model, str(part))
