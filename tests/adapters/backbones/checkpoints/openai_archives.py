"""Archives as OpenAI published them, made by OpenAI's code with random weights."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import packaging.version
import torch

# `clip` takes `packaging` from a package that setuptools no longer has.
# pytest asks whether it is there, so it does not stay.
_HAD = sys.modules.get("pkg_resources")
sys.modules["pkg_resources"] = ModuleType("pkg_resources")
sys.modules["pkg_resources"].__dict__["packaging"] = packaging

import clip  # noqa: E402
from clip.model import CLIP, convert_weights  # noqa: E402

del sys.modules["pkg_resources"]
if _HAD is not None:
    sys.modules["pkg_resources"] = _HAD

TEXTS = ["a photo of a cat.", "HELLO, world!", "ein Bild von einem Haus"]
VIT = {"image_resolution": 32, "vision_layers": 2, "vision_width": 64, "vision_patch_size": 8}
RESNET = {"image_resolution": 64, "vision_layers": (1, 2, 1, 1), "vision_width": 8} | {
    "vision_patch_size": None
}


def write_archive(path: Path, vision: dict[str, Any] = VIT, vocabulary: int = 49408) -> Path:
    """Trace a CLIP in half precision, with the numbers beside it that OpenAI's files hold."""
    torch.manual_seed(0)
    model = CLIP(
        48, **vision, context_length=77, vocab_size=vocabulary, transformer_width=64,
        transformer_heads=1, transformer_layers=2,
    )  # fmt: skip
    for name, each in model.named_parameters():
        if name.endswith("bn3.weight"):  # zero at first: blocks would do nothing
            torch.nn.init.uniform_(each)
        if name.endswith(("c_fc.weight", "mlp.c_proj.weight")):  # so that the activation matters
            torch.nn.init.normal_(each, std=0.12 if "c_fc" in name else 0.5)
    told = {"input_resolution": vision["image_resolution"], "context_length": 77}
    for name, value in (told | {"vocab_size": vocabulary}).items():
        model.__dict__.pop(name, None)
        model.register_buffer(name, torch.tensor(value))
    convert_weights(model)
    size = vision["image_resolution"]
    examples = {
        "encode_image": (torch.zeros(1, 3, size, size),),
        "encode_text": (torch.zeros(1, 77, dtype=torch.long),),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace_module(model.eval(), examples, check_trace=False).save(str(path))
    return path


def loaded_by_clip(path: Path) -> tuple[Any, Any]:
    """The model and the preprocessing that ``clip.load`` makes of a file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model, preprocess = clip.load(str(path), device="cpu")
    return model, preprocess


def tokens(texts: list[str]) -> torch.Tensor:
    """Texts as OpenAI's tokenizer has them."""
    return clip.tokenize(texts)
