"""A CLIP of two small transformers, trained from scratch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import open_clip
import torch
from rich.progress import Progress
from torch import Tensor
from torch.nn.functional import normalize

from adapters.training.loop import Examples, LoopSettings, train
from adapters.training.objective import Objective
from benchmarks.small_clip.data import MEAN, SIDE, STD

TEMPLATE = "a photo of a {}."
CONTEXT = 16
CONFIG: dict[str, Any] = {
    "embed_dim": 64,
    "vision_cfg": {
        "image_size": SIDE,
        "layers": 4,
        "width": 128,
        "head_width": 32,
        "patch_size": 8,
        "patch_dropout": 0.5,
    },
    "text_cfg": {
        "context_length": CONTEXT,
        "vocab_size": 49408,
        "width": 64,
        "heads": 2,
        "layers": 2,
    },
}
tokenizer = open_clip.SimpleTokenizer(context_length=CONTEXT)


def new(seed: int) -> Any:
    """A CLIP with random weights."""
    torch.manual_seed(seed)
    model = open_clip.CLIP(**CONFIG)
    open_clip.model.set_model_preprocess_cfg(model, {"mean": (MEAN,) * 3, "std": (STD,) * 3})
    return model


def tokens(names: Sequence[str]) -> Tensor:
    """The hand-written prompt of each class, as (N, CONTEXT) tokens."""
    return tokenizer([TEMPLATE.format(name) for name in names])


def run(
    objective: Objective, examples: Examples, settings: LoopSettings, title: str
) -> list[float]:
    """Train with a progress bar, without leaving anything on disk; returns the losses."""
    with Progress() as bar:
        task = bar.add_task(title, total=None)

        def report(step: int, steps: int, loss: float) -> None:
            bar.update(task, completed=step, total=steps, description=f"{title}, loss {loss:.2f}")

        return train(objective, examples, settings, device="cpu", report=report).losses


@torch.inference_mode()
def images(model: Any, pixels: Tensor) -> Tensor:
    """Unit embeddings of images."""
    model.eval()
    return torch.cat([normalize(model.visual(x), dim=-1) for x in pixels.split(256)])


@torch.inference_mode()
def texts(model: Any, names: Sequence[str]) -> Tensor:
    """Unit embeddings of classes, with the hand-written prompt."""
    model.eval()
    return normalize(model.encode_text(tokens(names)), dim=-1)
