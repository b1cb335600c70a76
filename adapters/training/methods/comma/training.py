"""Trains prompts with the loop that trains everything."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from adapters.backbones.dual_encoder import Tokenizer
from adapters.prompts.config import CommaConfig
from adapters.training.loop import Examples, LoopSettings, Progress, train
from adapters.training.methods.comma.objective import CommaObjective

# The authors' settings for 16 shots, but for the optimiser: theirs is SGD with 0.0035.
DEFAULTS = LoopSettings(
    epochs=5, batch=4, learning_rate=1e-3, weight_decay=5e-4, warmup=0.2, precision="no"
)


@dataclass(frozen=True, slots=True)
class Learned:
    """What a run gave.

    Attributes:
        text: P, (depth, n, text width) float32, on the CPU.
        vision: V, (depth, n, vision width) float32, on the CPU.
        progress: Of the run, at its end.
        parameters: How many numbers were learned.
    """

    text: Tensor
    vision: Tensor
    progress: Progress
    parameters: int


def learn_prompts(
    model: nn.Module,
    tokenizer: Tokenizer,
    names: Sequence[str],
    examples: Examples,
    config: CommaConfig,
    settings: LoopSettings,
    folder: Path,
    *,
    device: str | None = None,
    resume: bool = False,
    identity: Mapping[str, int | float | str] | None = None,
    report: Callable[[int, int, float], None] = lambda _step, _steps, _loss: None,
) -> Learned:
    """Learn prompts for a model on a few labelled images.

    Args:
        model: open_clip model; its parameters stay as they are.
        tokenizer: Of the model.
        names: The N class names, as words.
        examples: Yield pixels and the number of the class.
        config: Of the prompts.
        settings: Of the loop.
        folder: For the state to resume from.
        device: See `train`.
        resume: See `train`.
        identity: See `train`.
        report: See `train`.

    Raises:
        PromptError: The model has other towers, or too few layers.
        TrainingError, CheckpointError: See `train`.
    """
    torch.manual_seed(settings.seed)
    objective = CommaObjective(model, tokenizer, names, config)
    progress = train(
        objective,
        examples,
        settings,
        folder,
        device=device,
        resume=resume,
        identity=identity,
        report=report,
    )
    with torch.no_grad():
        text, vision = (prompts.detach().float().cpu() for prompts in objective.prompts())
    parameters = sum(parameter.numel() for parameter in objective.prompts.parameters())
    return Learned(text.clone(), vision.clone(), progress, parameters)
