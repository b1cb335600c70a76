"""open_clip's models, built with weights that fit them exactly."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import open_clip
import torch
from open_clip.convert import convert_state_dict
from open_clip.model import convert_to_custom_text_state_dict
from torch import Tensor, nn

from adapters.backbone_errors import BackboneError
from adapters.backbones.checkpoints.json_files import check_sizes
from adapters.backbones.checkpoints.same_shapes import check_shapes
from adapters.backbones.dual_encoder import DualEncoder

_COUNTED = "text.transformer.embeddings.position_ids"
"""Older text towers of transformers saved the numbers of the positions."""


def built(described: str, name: str, state: Mapping[str, Tensor]) -> DualEncoder:
    """Build a model as open_clip does, its preprocessing and its tokenizer.

    Args:
        described: open_clip's name of a configuration: ``local-dir:FOLDER``.
        name: As the user chose it.
        state: Its state dict.

    Raises:
        BackboneError: The weights are not those of the configuration.
    """
    fitting = fitted(described, state)
    model, preprocess = _made(described, "cpu")
    model.load_state_dict(fitting)
    if not all(bool(each.isfinite().all()) for each in model.state_dict().values()):
        raise BackboneError("its weights are not all finite: the training failed, or the file did")
    return DualEncoder(
        name=name,
        model=model,
        preprocess=preprocess,
        tokenizer=tokenizer_of(described),
        model_cfg=open_clip.get_model_config(described),
    )


def fitted(described: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict by the names, and in the shapes, that a model has.

    Compared with a model without numbers, which takes no memory. open_clip's own loader would
    stretch position embeddings to another input size or context length.

    Raises:
        BackboneError: The weights are not those of the configuration.
    """
    check_sizes(open_clip.get_model_config(described), len(state))
    with torch.device("meta"):
        sketch, _ = _made(described, "meta")
    known = _renamed(sketch, state)
    check_shapes(sketch, known)
    shapes = {name: each.shape for name, each in sketch.state_dict().items()}
    return {name: each.reshape(shapes[name]) for name, each in known.items()}


def tokenizer_of(described: str) -> Any:
    """The tokenizer of a configuration; code that lies in its folder is not run."""
    text = open_clip.get_model_config(described).get("text_cfg", {})
    options = {"trust_remote_code": False} if text.get("hf_tokenizer_name") else {}
    return open_clip.get_tokenizer(described, **options)


def _made(described: str, device: str) -> tuple[nn.Module, Any]:
    with _quietly():
        model, _, preprocess = open_clip.create_model_and_transforms(
            described, device=device, load_weights=False, pretrained_text=False
        )
    return model, preprocess


def _renamed(model: nn.Module, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What open_clip's loader renames: MobileCLIP's checkpoints, text towers by themselves."""
    known: dict[str, Tensor] = dict(convert_state_dict(model, dict(state)))
    if "positional_embedding" in known and not hasattr(model, "positional_embedding"):
        known = convert_to_custom_text_state_dict(known)
    if _COUNTED not in model.state_dict():
        known.pop(_COUNTED, None)
    return known


@contextmanager
def _quietly() -> Iterator[None]:
    """open_clip does not warn of a model without weights: they follow."""

    def told(record: logging.LogRecord) -> bool:
        return "weights" not in record.getMessage()

    logging.getLogger().addFilter(told)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.getLogger().removeFilter(told)
