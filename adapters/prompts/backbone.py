"""A backbone whose texts and images are encoded with trained prompts."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

import torch

from adapters.backbones.backbone import Backbone
from adapters.backbones.open_clip_models import Parts
from adapters.corrections import Correction
from adapters.corrections.bottleneck.checkpoint import tower_fingerprint
from adapters.engines import Eager, MakeRuntime
from adapters.prompts.checkpoint import TrainedPrompts, load_prompts
from adapters.prompts.errors import PromptError
from adapters.prompts.model import PromptedModel
from adapters.prompts.towers import towers


class PromptedBackbone(Backbone):
    """A `Backbone` with trained prompts in both towers.

    Class texts are written with the template of the prompts, whatever other templates are
    asked for: the prompts were learned in the place of its words and mean nothing elsewhere.

    Args:
        name: Of the backbone without prompts.
        parts: open_clip model, preprocessing, tokenizer.
        correction: Works on the prompted image tower.
        trained: The prompts.
        path: Where they come from, as the user named it.
        device: Where it computes.
        make_runtime: Makes what runs the image tower.

    Raises:
        PromptError: The prompts do not fit the model.
    """

    def __init__(
        self,
        name: str,
        parts: Parts,
        correction: Correction,
        trained: TrainedPrompts,
        path: Path,
        device: torch.device | str = "cpu",
        make_runtime: MakeRuntime = Eager.made,
    ) -> None:
        model, preprocess, tokenizer = parts
        super().__init__(
            # Part of the name, so that a message with a command to mend something is right.
            f"{name} --prompts {shlex.quote(str(path))}",
            PromptedModel(model, tokenizer, trained),
            preprocess,
            tokenizer,
            correction,
            (trained.config.template,),
            device,
            make_runtime,
        )

    def templates_for(self, asked: Sequence[str]) -> tuple[str, ...]:
        """The template of the prompts; others are left aside."""
        del asked
        return self.templates


def load_prompted(
    name: str,
    parts: Parts,
    correction: Correction,
    path: Path,
    device: torch.device | str = "cpu",
    make_runtime: MakeRuntime = Eager.made,
) -> PromptedBackbone:
    """Make a backbone that uses the prompts of a file.

    Args:
        name: Of the backbone without prompts.
        parts: open_clip model, preprocessing, tokenizer.
        correction: See `PromptedBackbone`.
        path: Of the prompts.
        device: Where it computes.
        make_runtime: Makes what runs the image tower.

    Raises:
        PromptError: The file is missing or damaged, or was trained with another backbone.
    """
    trained = load_prompts(path)
    towers(parts[0])  # tells what is supported before what differs
    if trained.fingerprint != tower_fingerprint(parts[0]):
        raise PromptError(
            f"{path} was trained with {trained.backbone}, whose weights are not those of {name}; "
            f"name that backbone, or train prompts for this one with: handful train comma "
            f"--backbone {name}"
        )
    return PromptedBackbone(name, parts, correction, trained, path, device, make_runtime)
