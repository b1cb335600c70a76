"""Pretrained dual encoders of open_clip, loaded without executing what a checkpoint contains."""

from __future__ import annotations

import difflib
import pickle
import warnings
from pathlib import Path
from typing import Any

import open_clip

from adapters.backbone_errors import BackboneError, UnsafeWeights, WeightsUnavailable
from adapters.backbones.dual_encoder import DualEncoder

_SCHEMES = ("hf-hub:", "local-dir:")


def load_open_clip(name: str) -> DualEncoder:
    """Load a model, its preprocessing and its tokenizer.

    Args:
        name: ``MODEL/TAG`` (a pretrained tag of open_clip, fetched or from its cache),
            ``MODEL/PATH`` (a checkpoint file), ``hf-hub:ORG/REPOSITORY`` or
            ``local-dir:FOLDER`` (``open_clip_config.json`` beside the weights).

    Raises:
        BackboneError: There is no such model or tag, or the checkpoint does not fit it.
        WeightsUnavailable: A file is missing or cannot be fetched.
        UnsafeWeights: The checkpoint is a pickle of more than tensors.
    """
    if name.startswith(_SCHEMES):
        model, tag = name, None
        _check_folder(name)
    else:
        model, _, tag = name.partition("/")
        _check_model(name, model, tag)
    arguments: dict[str, Any] = {"pretrained": tag, "require_pretrained": True}
    if tag and not Path(tag).is_file():
        # OpenAI's weights were trained with another activation than the model's config says.
        config = open_clip.get_pretrained_cfg(model, tag)
        arguments["force_quick_gelu"] = bool(config.get("quick_gelu", False))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            loaded, _, preprocess = open_clip.create_model_and_transforms(model, **arguments)
        return DualEncoder(
            name=name,
            model=loaded,
            preprocess=preprocess,
            tokenizer=open_clip.get_tokenizer(model),
        )
    except pickle.UnpicklingError as error:
        raise UnsafeWeights(
            f"the weights of {name} are a pickle that would execute code; on a machine that "
            "trusts them, save the state dict with safetensors.torch.save_file and use that file"
        ) from error
    except Exception as error:
        raise _explained(name, model, tag, error) from error


def _check_folder(name: str) -> None:
    scheme, _, folder = name.partition(":")
    if scheme != "local-dir":
        return
    config = Path(folder) / "open_clip_config.json"
    if not config.is_file():
        raise WeightsUnavailable(f"{name}: there is no file {config}")
    weights = [p for p in Path(folder).iterdir() if p.suffix in {".safetensors", ".bin", ".pth"}]
    if not weights:
        raise WeightsUnavailable(
            f"{name}: there are no weights beside {config}; put open_clip_model.safetensors there"
        )


def _check_model(name: str, model: str, tag: str) -> None:
    known = open_clip.list_models()
    if model not in known:
        similar = difflib.get_close_matches(model, known, n=3, cutoff=0.5)
        raise BackboneError(
            f"open_clip has no model {model!r}"
            + (f"; did you mean {' or '.join(similar)}?" if similar else "")
            + " Name a backbone as lite, MODEL/TAG, MODEL/PATH, hf-hub:ORG/REPOSITORY"
            " or local-dir:FOLDER."
        )
    tags = open_clip.list_pretrained_tags_by_model(model)
    if not tag:
        raise BackboneError(
            f"{model} needs weights: write {model}/TAG with one of {', '.join(tags) or 'no tags'},"
            f" or {model}/PATH with a checkpoint file"
        )
    if tag in tags or Path(tag).is_file():
        return
    if "/" in tag or Path(tag).suffix:
        raise WeightsUnavailable(f"{name}: there is no checkpoint file {tag}")
    raise BackboneError(
        f"open_clip has no weights {tag!r} for {model}; it has {', '.join(tags) or 'none'}"
    )


def _explained(name: str, model: str, tag: str | None, error: Exception) -> BackboneError:
    if tag and Path(tag).is_file():
        if "TorchScript" in str(error) or "weights_only" in str(error).lower():
            return UnsafeWeights(
                f"{tag} cannot be read without executing code ({_first_line(error)}); save its "
                "state dict with safetensors.torch.save_file and use that file"
            )
        return BackboneError(f"{tag} is no checkpoint of {model}: {_first_line(error)}")
    if model.startswith("local-dir:"):
        return BackboneError(f"{name} cannot be loaded: {_first_line(error)}")
    if model.startswith("hf-hub:"):
        source = f"https://huggingface.co/{model.removeprefix('hf-hub:')}"
    else:
        config = open_clip.get_pretrained_cfg(model, tag)
        hub = config.get("hf_hub", "").strip("/")
        source = f"https://huggingface.co/{hub}" if hub else config.get("url", "")
    return WeightsUnavailable(
        f"the weights of {name} are neither in the local cache nor could they be fetched from "
        f"{source}: {_first_line(error)}. Allow this machine to reach that host once, or fetch "
        "the checkpoint on another machine and name the file: --backbone MODEL/PATH (or a "
        "folder with open_clip_config.json: --backbone local-dir:FOLDER)"
    )


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
