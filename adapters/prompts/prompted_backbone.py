"""A backbone with learned prompts in both towers."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from adapters.backbones import Backbone, DualEncoder
from adapters.corrections import Correction
from adapters.engines import Eager, MakeEngine
from adapters.prompts.checkpoint import TrainedPrompts
from adapters.prompts.model import PromptedModel
from adapters.recipe import ChooseRecipe, Recipe


class PromptedBackbone(Backbone):
    """A `Backbone` with learned prompts in both towers.

    Class texts are written with the template of the prompts, whatever other templates are
    asked for: the prompts were learned in the place of its words and mean nothing elsewhere.

    Args:
        encoder: Without prompts.
        correction: Works on the prompted image tower.
        trained: The prompts.
        path: Where they come from, as the user named it.
        device: Where it computes.
        make_engine: Makes what runs the image tower.
        recipe: How images are embedded, or what chooses that by the model's fingerprint.

    Raises:
        PromptError: The prompts do not fit the model.
    """

    def __init__(
        self,
        encoder: DualEncoder,
        correction: Correction,
        trained: TrainedPrompts,
        path: Path,
        device: torch.device | str = "cpu",
        make_engine: MakeEngine = Eager.made,
        recipe: Recipe | ChooseRecipe = Recipe(),  # noqa: B008 - a value that never changes
    ) -> None:
        prompted = replace(
            encoder,
            # Part of the name, so that a message with a command to mend something is right.
            name=f"{encoder.name} --prompts {shlex.quote(str(path))}",
            model=PromptedModel(encoder.model, encoder.tokenizer, trained),
            templates=(trained.config.template,),
        )
        super().__init__(prompted, correction, device, make_engine, recipe)

    def templates_for(self, asked: Sequence[str]) -> tuple[str, ...]:
        """The template of the prompts; others are left aside."""
        del asked
        return self.templates
