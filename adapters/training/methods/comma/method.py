"""COMMA: prompts of both towers, as a training method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor

from adapters.backbone_errors import PromptError
from adapters.backbones import DualEncoder
from adapters.backbones.backbone import readable
from adapters.corrections.bottleneck.checkpoint import tower_fingerprint
from adapters.prompts import PROMPTS_NAME, CommaConfig, TrainedPrompts
from adapters.training.loop import LoopSettings
from adapters.training.method import Preprocessing, RunFacts, Training
from adapters.training.methods.comma.augmentation import augmented
from adapters.training.methods.comma.config import DEFAULTS, OURS, CommaTerms
from adapters.training.methods.comma.objective import CommaObjective

_CROP = 4
"""Pictures are decoded at up to this many times what the tower takes: crops are parts of them."""


@dataclass(frozen=True, slots=True)
class CommaMethod:
    """Prompt learning in both towers (Hu et al., AAAI 2024, arXiv 2401.00268).

    Attributes:
        prompts: Of the prompts.
        loop: Of the loop.
        terms: Of the loss.
    """

    prompts: CommaConfig = field(default_factory=CommaConfig)
    loop: LoopSettings = DEFAULTS
    terms: CommaTerms = OURS

    @property
    def seed(self) -> int:
        """Decides all that is random."""
        return self.loop.seed

    def loop_settings(self, _examples: int, _processes: int) -> LoopSettings:
        """The settings that were given."""
        return self.loop

    def build(self, encoder: DualEncoder, classes: Sequence[str]) -> CommaTraining:
        """Make untrained prompts for a frozen model.

        Raises:
            PromptError: The model has other towers, or too few layers.
        """
        return CommaTraining(self, encoder, classes)


class CommaTraining(Training):
    """Prompts in training; see `CommaMethod.build`."""

    objective: CommaObjective

    def __init__(self, method: CommaMethod, encoder: DualEncoder, classes: Sequence[str]) -> None:
        if not encoder.promptable:
            raise PromptError(
                f"{encoder.name} has no towers that take prompts; name an open_clip ViT with "
                "--backbone, as ViT-B-16/openai"
            )
        self.method, self.backbone = method, encoder.name
        self.fingerprint = tower_fingerprint(encoder.model)
        names = [readable(label) for label in classes]
        self.objective = CommaObjective(
            encoder.model, encoder.tokenizer, names, method.prompts, method.terms
        )
        visual: Any = encoder.visual
        size = visual.image_size
        self.preprocessing = Preprocessing(
            transform=augmented(encoder.preprocess, size),
            side=_CROP * (max(size) if isinstance(size, tuple) else size),
            labelled=True,
        )
        self.identity = {
            "objective": "comma",
            "model": self.fingerprint,
            "prompts": str(method.prompts),
            "terms": str(method.terms),
        }

    def record(self, facts: RunFacts) -> dict[str, Any]:
        """The record of a run, as JSON can hold it."""
        return {
            "objective": "comma",
            "backbone": self.backbone,
            "prompts": self.method.prompts.as_dict(),
            "terms": self.method.terms.as_dict(),
            "learned_parameters": sum(
                p.numel() for p in self.objective.prompts.parameters() if p.requires_grad
            ),
            "data": facts.data,
            "processes": facts.processes,
            **asdict(facts.settings),
            **facts.ended,
            **facts.measured,
        }

    def export(self) -> ExportedPrompts:
        """The prompts of both towers; what generated those of images is not needed any more."""
        text, vision = self.objective.learned_prompts()
        return ExportedPrompts(
            TrainedPrompts(self.method.prompts, text, vision, self.backbone, self.fingerprint, {})
        )


@dataclass(frozen=True, slots=True)
class ExportedPrompts:
    """Prompts of both towers (a `Trained`).

    Attributes:
        prompts: As they are loaded and served; their record is given when they are saved.
    """

    prompts: TrainedPrompts
    file_name: ClassVar[str] = PROMPTS_NAME

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        """P, (depth, n, text width), and V, (depth, n, vision width), float32 on the CPU."""
        return {"text": self.prompts.text, "vision": self.prompts.vision}

    def save(self, path: Path, record: Mapping[str, Any]) -> None:
        """Write the file that :func:`adapters.prompts.load_prompts` reads."""
        replace(self.prompts, record=record).save(path)
