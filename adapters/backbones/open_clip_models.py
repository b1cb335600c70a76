"""Pretrained dual encoders of open_clip, loaded without executing what a checkpoint contains."""

from __future__ import annotations

import difflib
import pickle
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import open_clip

from adapters.backbone_errors import BackboneError, UnsafeWeights, WeightsUnavailable
from adapters.backbones.checkpoints import Weights
from adapters.backbones.checkpoints.recognise import recognised_file, recognised_folder
from adapters.backbones.dual_encoder import DualEncoder

_HUB, _FOLDER = "hf-hub:", "local-dir:"
_ARRAYS = {".npz", ".npy"}
"""Of Google's big_vision: open_clip reads them, without pickles."""


def load_open_clip(name: str) -> DualEncoder:
    """Load a model, its preprocessing and its tokenizer.

    Args:
        name: ``MODEL/TAG`` (a pretrained tag of open_clip, fetched or from its cache),
            ``MODEL/PATH`` (a checkpoint file), ``hf-hub:ORG/REPOSITORY`` or
            ``local-dir:FOLDER`` (of open_clip or of transformers); what files may be is told by
            :mod:`adapters.backbones.checkpoints.recognise`.

    Raises:
        BackboneError: There is no such model or tag, the checkpoint does not fit it, or what it
            needs cannot be known.
        WeightsUnavailable: A file is missing or cannot be fetched.
        UnsafeWeights: The checkpoint is a pickle of more than tensors.
    """
    if name.startswith(_FOLDER):
        return _of_files(name, lambda: recognised_folder(Path(name.removeprefix(_FOLDER))))
    if name.startswith(_HUB):
        return _fetched(name, name, None)
    model, _, tag = name.partition("/")
    check_model(model)
    _check_weights(name, model, tag)
    path = Path(tag)
    if path.is_file() and path.suffix not in _ARRAYS:
        return _of_files(name, lambda: recognised_file(path, model))
    return _fetched(name, model, tag)


def _of_files(name: str, recognised: Callable[[], Weights]) -> DualEncoder:
    """Load what lies on this machine."""
    try:
        return recognised().encoder(name)
    except BackboneError as error:
        raise type(error)(f"{name}: {error}") from error
    # Whatever open_clip, or the system, says of configurations and files that do not go together.
    except Exception as error:
        raise BackboneError(f"{name} cannot be loaded: {_first_line(error)}") from error


def _fetched(name: str, model: str, tag: str | None) -> DualEncoder:
    """Load what open_clip fetches, or has fetched."""
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


def check_model(model: str) -> None:
    """open_clip has a model of this name.

    Raises:
        BackboneError: It has not; the message names similar ones.
    """
    known = open_clip.list_models()
    if model not in known:
        similar = difflib.get_close_matches(model, known, n=3, cutoff=0.5)
        raise BackboneError(
            f"open_clip has no model {model!r}"
            + (f"; did you mean {' or '.join(similar)}?" if similar else "")
            + " Name a backbone as lite, MODEL/TAG, MODEL/PATH, hf-hub:ORG/REPOSITORY"
            " or local-dir:FOLDER."
        )


def _check_weights(name: str, model: str, tag: str) -> None:
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
        return BackboneError(f"{tag} is no checkpoint of {model}: {_first_line(error)}")
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
