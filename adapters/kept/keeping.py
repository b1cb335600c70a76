"""Keeping a model: both towers of PyTorch's converted, and what they embed by which they are known.

Imports open_clip: only where a model is kept for the first time.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import open_clip
import torch
from open_clip.tokenizer import (
    SimpleTokenizer,
    _clean_canonicalize,
    _clean_lower,
    _clean_whitespace,
)

from adapters.backbone_errors import BackboneError
from adapters.backbones import DualEncoder
from adapters.backbones.framing import Framing
from adapters.corrections import Correction
from adapters.engines import Eager, ImagePass, openvino
from adapters.engines.agreement import probes
from adapters.engines.lean import lean
from adapters.fingerprint import fingerprint
from adapters.kept.kept_model import IMAGE, PROBE_TEXTS, TEXT, Description, KeptModel
from adapters.kept.text_pass import CausalTextPass, text_pass
from adapters.kept.tokens import CLIP

_CLEANING = {
    _clean_lower: "lower",
    _clean_whitespace: "whitespace",
    _clean_canonicalize: "canonicalize",
}


class NotKeptError(BackboneError):
    """A model is of a kind that cannot be kept; the message says what is not known of it."""


def keep(encoder: DualEncoder, correction: Correction, folder: Path) -> KeptModel:
    """Convert both towers and write all that a start needs.

    Args:
        encoder: On the CPU, in evaluation mode.
        correction: Of its image tower.
        folder: Of the kept model.

    Raises:
        NotKeptError: Its preprocessing or its tokenizer is of another kind.
        OSError: It cannot be written.
        Exception: Whatever conversion fails with.
    """
    framing = Framing(encoder.preprocess)
    geometry = framing.shorter_side
    if geometry is None:
        raise NotKeptError(f"its preprocessing is another one: {framing.geometry}")
    texts = text_pass(encoder.model).eval()
    tokens = _tokens(encoder, texts)
    model: Any = encoder.model.requires_grad_(False)
    images = ImagePass(encoder.visual, correction, framing.mean, framing.std).eval()
    pixels = probes(geometry.height, geometry.width)
    with torch.inference_mode():
        frozen, corrected = Eager(images)(pixels)
        known = encoder.tokenizer(PROBE_TEXTS)
        text_rows = torch.nn.functional.normalize(model.encode_text(known).float(), dim=-1)
    kept = KeptModel(
        folder=folder,
        about=Description(
            name=encoder.name,
            templates=tuple(encoder.templates),
            correction=correction.name,
            joint=correction.joint,
            fingerprint=fingerprint(
                model, {"preprocess": str(encoder.preprocess), "correction": correction.name}
            ),
            logit_scale=float(model.get_parameter("logit_scale").exp()),
            side=geometry.side,
            height=geometry.height,
            width=geometry.width,
            interpolation=geometry.interpolation.name,
            mean=tuple(framing.mean.tolist()),
            std=tuple(framing.std.tolist()),
            tokens=tokens,
        ),
        frozen=frozen.clone(),
        corrected=corrected.clone(),
        texts=text_rows.clone(),
    )
    with lean(images):
        image = openvino.convert(images, geometry.height, geometry.width)
    any_length = isinstance(texts, CausalTextPass) or encoder.tokens is not None
    text = openvino.convert_texts(texts, known, any_length=any_length)
    kept.write({IMAGE: partial(openvino.save, image), TEXT: partial(openvino.save, text)})
    return kept


def _tokens(encoder: DualEncoder, texts: torch.nn.Module) -> dict[str, Any]:
    """Describe the tokenizer of an encoder.

    Raises:
        NotKeptError: It is of another kind than open_clip's own.
    """
    if encoder.tokens is not None:
        return dict(encoder.tokens)
    tokenizer: Any = encoder.tokenizer
    own = type(tokenizer) is SimpleTokenizer and tokenizer.reduction_fn is None
    if not own or len(tokenizer.all_special_ids) != 2 or tokenizer.clean_fn not in _CLEANING:
        raise NotKeptError(f"its tokenizer is another one: {type(tokenizer).__name__}")
    return {
        "kind": CLIP,
        "context_length": tokenizer.context_length,
        "clean": _CLEANING[tokenizer.clean_fn],
        "end": tokenizer.eot_token_id if isinstance(texts, CausalTextPass) else None,
    }


def weights_file(name: str) -> Path | None:
    """The file that open_clip reads the weights of ``MODEL/TAG`` from, which is there by now."""
    model, _, tag = name.partition("/")
    config = open_clip.get_pretrained_cfg(model, tag) if tag and ":" not in model else None
    return Path(open_clip.download_pretrained(config)) if config else None
