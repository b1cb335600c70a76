"""Which parameters of a model are fine-tuned."""

from __future__ import annotations

from typing import Any

from torch import nn

from adapters.training.methods.mixup.config import Learned
from adapters.training.training_errors import TrainingError

# What maps the pooled features of a tower into the joint space, where models have it; of
# `lite`'s text projection the kernels stay where they are, on names.
_IMAGE_PROJECTIONS = (
    "visual.proj",
    "visual.head.proj",
    "visual.head.mlp",
    "visual.attnpool.c_proj",
)
_TEXT_PROJECTIONS = (
    "text_projection",
    "text.text_projection",
    "text.proj.values",
    "text.proj",
)
_SCALE = "logit_scale"


def choose(model: nn.Module, learned: Learned, *, scale: bool = True) -> list[str]:
    """Let the chosen parameters of an open_clip model require gradients, and no others.

    Args:
        model: With an image tower ``visual``.
        learned: ``model``: all of them. ``projections``: those of both towers and the logit
            scale. ``adapter``: none, as the adapter is beside the model.
        scale: Whether the logit scale may be among them; it has no gradient where the
            temperature is fixed.

    Returns:
        The names of these parameters.

    Raises:
        TrainingError: The model has no projections of a known kind.
    """
    names = [name for name, _ in model.named_parameters()]
    if learned == "model":
        # The bias is of another loss, SigLIP's, and ours would leave it without a gradient.
        chosen = [name for name in names if name != "logit_bias"]
    elif learned == "projections":
        image = _within(names, _IMAGE_PROJECTIONS)
        text = _within(names, _TEXT_PROJECTIONS)
        if not image or not text:
            raise TrainingError(
                f"the {'text' if image else 'image'} tower of this model has no projection into "
                "the joint space that could be learned alone; learn the whole model "
                "(--learn model) or an adapter (--learn adapter)"
            )
        chosen = [*image, *text, _SCALE]
    else:
        chosen = []
    if not scale:
        chosen = [name for name in chosen if name != _SCALE]
    everything: Any = model
    everything.requires_grad_(False)
    for name in chosen:
        model.get_parameter(name).requires_grad_(True)
    return chosen


def _within(names: list[str], candidates: tuple[str, ...]) -> list[str]:
    for candidate in candidates:
        if found := [name for name in names if f"{name}.".startswith(f"{candidate}.")]:
            return found
    return []
