"""What a file or a folder of weights is, and all that belongs to it."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import open_clip

from adapters.backbone_errors import BackboneError, WeightsUnavailable
from adapters.backbones.checkpoints import transformers_folder
from adapters.backbones.checkpoints.building import fitted
from adapters.backbones.checkpoints.evidence import (
    Evidence,
    find_checkpoint,
    gathered,
    weights_like,
)
from adapters.backbones.checkpoints.json_files import read_json
from adapters.backbones.checkpoints.openai_layout import (
    OPENAI_PIXELS,
    openai_configuration,
    told_beside,
    without_told,
)
from adapters.backbones.checkpoints.pixels import check_pixels
from adapters.backbones.checkpoints.published import Published, published
from adapters.backbones.checkpoints.state_dict import Checkpoint, read_checkpoint
from adapters.backbones.checkpoints.trained_like import Training, trained_like
from adapters.backbones.checkpoints.transformers_names import clip_state, of_transformers
from adapters.backbones.checkpoints.weights import Weights
from adapters.backbones.folder_files import CONFIG_NAME

_TOKENIZER_OPTIONS = {"clean", "language", "reduction_mask", "strip_sep_token"}
"""What open_clip's own tokenizers take; anything else is handed on to what may load code."""


def recognised_folder(folder: Path) -> Weights:
    """Read a folder of open_clip or of ``transformers``.

    Raises:
        WeightsUnavailable: A file is missing.
        UnsafeWeights: The weights are a pickle of more than tensors.
        BackboneError: It is neither, or what its files say does not go together.
        OSError: A file cannot be read.
    """
    if (folder / CONFIG_NAME).is_file():
        return _open_clip(folder)
    if (folder / transformers_folder.CONFIG).is_file():
        return transformers_folder.recognised_transformers(folder)
    raise WeightsUnavailable(
        f"there is no file {folder / CONFIG_NAME} (open_clip's), and no "
        f"{transformers_folder.CONFIG} (of transformers)"
    )


def recognised_file(
    path: Path,
    model: str | None = None,
    *,
    like: str | None = None,
    quick_gelu: bool | None = None,
) -> Weights:
    """Read a file of weights.

    Args:
        path: Of the file.
        model: open_clip's name of the model that it is of; an archive of OpenAI's layout and a
            file of ``transformers`` beside its ``config.json`` tell it themselves.
        like: A tag of open_clip's weights for that model, which it was trained like.
        quick_gelu: Which activation it was trained with, where whoever has it knows.

    Raises:
        UnsafeWeights: It is a pickle of more than tensors.
        BackboneError: It is no checkpoint, of another model, or what it needs cannot be known.
        OSError: It cannot be read.
    """
    beside = path.parent / transformers_folder.CONFIG
    checkpoint = read_checkpoint(path)
    foreign = of_transformers(checkpoint.state)
    if foreign and model is None and beside.is_file():
        return transformers_folder.recognised_transformers(path.parent, path)
    known = published(path)
    if model is None and known is not None and not checkpoint.scripted:
        model = known.model
    evidence = gathered(checkpoint, known, weights_like(model, like), quick_gelu)
    if model is None:
        if foreign or not (checkpoint.scripted or told_beside(checkpoint.state)):
            raise BackboneError(
                f"{path} does not tell what model it is of; "
                + (f"put its {beside.name} beside it, or " if foreign else "")
                + "name the model: --model ViT-B-16, for instance"
            )
        return _openai(checkpoint, known, evidence)
    state = clip_state(checkpoint.state) if foreign else without_told(checkpoint.state)
    try:
        state = fitted(model, state)
    except BackboneError as error:
        raise BackboneError(f"{path} is no checkpoint of {model}: {error}") from error
    training = trained_like(path, model, evidence)
    config = deepcopy(open_clip.get_model_config(model))
    if training.quick_gelu or config.get("quick_gelu"):
        config["quick_gelu"] = training.quick_gelu
    return Weights(
        found=_described(checkpoint, known, training, model, foreign),
        state=state,
        model_cfg=config,
        preprocess_cfg=training.preprocess_cfg,
        described=model,
        remarks=_remarks(checkpoint, known),
    )


def _open_clip(folder: Path) -> Weights:
    told = read_json(folder / CONFIG_NAME)
    config = told.get("model_cfg")
    pixels = told.get("preprocess_cfg", {})
    if not isinstance(config, dict) or not isinstance(pixels, dict):
        raise BackboneError(f"{folder / CONFIG_NAME} has no model_cfg, or none that is an object")
    weights = find_checkpoint(folder)
    if weights is None:
        raise WeightsUnavailable(
            f"there are no weights beside {folder / CONFIG_NAME}; put open_clip_model.safetensors "
            "there"
        )
    state = without_told(read_checkpoint(weights).state)
    _check_tokenizer(config)
    check_pixels(pixels, config.get("vision_cfg"), folder / CONFIG_NAME)
    return Weights(
        found=f"open_clip's folder, {weights.name}",
        state=state,
        model_cfg=config,
        preprocess_cfg=pixels,
        described=f"local-dir:{folder}",
    )


def _check_tokenizer(model_cfg: dict[str, Any]) -> None:
    """A configuration asks for no code of its own.

    Raises:
        BackboneError: It does.
    """
    text = model_cfg.get("text_cfg")
    if not isinstance(text, dict):
        raise BackboneError("the configuration has no text_cfg")
    options = text.get("tokenizer_kwargs") or {}
    if not isinstance(options, dict) or not set(options) <= _TOKENIZER_OPTIONS:
        raise BackboneError(
            f"the configuration has tokenizer_kwargs {options}; only "
            f"{', '.join(sorted(_TOKENIZER_OPTIONS))} are taken from a folder"
        )
    if Path(str(text.get("hf_model_name") or "/")).exists() and text.get("hf_model_name"):
        raise BackboneError("the configuration names a folder as its hf_model_name")


def _openai(checkpoint: Checkpoint, known: Published | None, evidence: Evidence) -> Weights:
    """Weights that tell their model by the shapes of their tensors, as OpenAI's loader has it."""
    if evidence.quick_gelu is None:
        raise BackboneError(
            f"{checkpoint.path}: the names of its classes do not tell whether it computes GELU or "
            "QuickGELU; say so: --activation quickgelu, for instance"
        )
    training = Training(evidence.quick_gelu, evidence.preprocess_cfg or OPENAI_PIXELS)
    return Weights(
        found=_described(checkpoint, known, training, None, False),
        state=without_told(checkpoint.state),
        model_cfg=openai_configuration(checkpoint.state, training.quick_gelu),
        preprocess_cfg=training.preprocess_cfg,
        remarks=_remarks(checkpoint, known),
    )


def _described(
    checkpoint: Checkpoint,
    known: Published | None,
    training: Training,
    model: str | None,
    foreign: bool,
) -> str:
    if known:
        return f"{known.model}/{known.tag}, the published file (SHA-256), {training.activation}"
    if checkpoint.scripted:
        what = "a TorchScript archive in OpenAI's layout"
    else:
        what = "a state dict of transformers" if foreign else "a state dict"
    return f"{what}{f' of {model}' if model else ''}, {training.activation}"


def _remarks(checkpoint: Checkpoint, known: Published | None) -> tuple[str, ...]:
    if known or not checkpoint.scripted:
        return ()
    return (
        "its digest is that of no file that OpenAI published: it is read, and not called OpenAI's",
    )
