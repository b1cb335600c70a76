"""Fine-tuning on pairs with geodesic mixup, as a training method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor, nn

from adapters.backbones import DualEncoder
from adapters.backbones.dual_encoder import Tokenizer
from adapters.backbones.folder import folder_config, write_folder
from adapters.corrections.bottleneck import attach, tower_fingerprint
from adapters.training.adapter_export import TrainedAdapter
from adapters.training.loop import LoopSettings
from adapters.training.method import Preprocessing, RunFacts, Trained, Training
from adapters.training.methods.mixup.augmentation import cropped, plain
from adapters.training.methods.mixup.config import Learned, MixupConfig
from adapters.training.methods.mixup.model import choose
from adapters.training.methods.mixup.objective import MixupObjective
from adapters.training.training_errors import TrainingError

MODEL_NAME = "model"


@dataclass(frozen=True, slots=True)
class MixupMethod:
    """Fine-tuning under the contrastive loss with geodesic mixes (Oh et al., NeurIPS 2023).

    Attributes:
        learned: What is fine-tuned.
        mixup: Of the loss.
        loop: Of the loop.
        augmented: Whether images are cropped at random.
    """

    learned: Learned
    mixup: MixupConfig
    loop: LoopSettings
    augmented: bool = True

    @property
    def seed(self) -> int:
        """Decides all that is random."""
        return self.loop.seed

    def loop_settings(self, examples: int, processes: int) -> LoopSettings:
        """The settings; where the whole model is learned, a state is written once an epoch."""
        if self.learned == "model" and self.loop.save_every is None:
            # A state is three times the model.
            step = self.loop.batch * self.loop.accumulate * processes
            return replace(self.loop, save_every=max(1, examples // step))
        return self.loop

    def build(self, encoder: DualEncoder, classes: Sequence[str]) -> MixupTraining:
        """Let what is to be learned require gradients.

        Raises:
            BackboneError: The model could not be written as a folder.
            NoInsertionPointError: Its image tower has no place for an adapter.
            TrainingError: It has no projections of a known kind, or must not be changed.
        """
        del classes  # What belongs together are pairs.
        return MixupTraining(self, encoder)


class MixupTraining(Training):
    """A model in training; see `MixupMethod.build`."""

    def __init__(self, method: MixupMethod, encoder: DualEncoder) -> None:
        self.method, self.backbone = method, encoder.name
        self.model, self.tokenizer = encoder.model, encoder.tokenizer
        self.model_cfg = encoder.model_cfg
        learned = method.learned
        if not encoder.fine_tunable and learned != "adapter":
            raise TrainingError(
                f"the towers and projections of {encoder.name} come with the package and are "
                "compared with their SHA-256, so changed ones could not be loaded; learn an "
                "adapter (--learn adapter), or fine-tune another backbone"
            )
        if learned != "adapter":
            # Tells before the work whether it can be written.
            folder_config(encoder.name, self.model, self.tokenizer, self.model_cfg)
        self.fingerprint = tower_fingerprint(encoder.visual)
        self.names = choose(self.model, learned, scale=method.mixup.temperature is None)
        self.adapter = attach(encoder.visual) if learned == "adapter" else None
        self.objective = MixupObjective(
            self.model,
            method.mixup,
            adapter=self.adapter,
            cut_padding=_cuts_padding(self.tokenizer),
        )
        transform = cropped(self.model) if method.augmented else plain(encoder.preprocess)
        self.preprocessing = Preprocessing(transform=transform, tokenizer=self.tokenizer)
        self.identity = {
            "backbone": encoder.name,
            "learned": learned,
            "mixes": str(method.mixup.as_dict()),
            "augmented": method.augmented,
        }

    def record(self, facts: RunFacts) -> dict[str, Any]:
        """The record of a run, as JSON can hold it."""
        return {
            "objective": "mixup",
            "backbone": self.backbone,
            "learned": {"what": self.method.learned, "parameters": self._parameters()},
            "data": facts.data,
            "mixup": self.method.mixup.as_dict(),
            "augmented": self.method.augmented,
            "settings": asdict(facts.settings) | {"processes": facts.processes},
            **facts.measured,
            "logit_scale": float(self.model.get_parameter("logit_scale").detach().exp()),
            **facts.ended,
        }

    def export(self) -> Trained:
        """The adapter, or the model as a folder."""
        if self.adapter is not None:
            return TrainedAdapter(self.adapter, self.backbone, self.fingerprint)
        return TrainedModel(self.model, self.backbone, self.tokenizer, self.model_cfg)

    def _parameters(self) -> int:
        values = [self.model.get_parameter(name) for name in self.names]
        own = () if self.adapter is None else self.adapter.parameters()
        return sum(value.numel() for value in [*values, *own])


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A fine-tuned open_clip model, loaded as ``local-dir:FOLDER`` (a `Trained`).

    Attributes:
        model: With any weights.
        backbone: Name that it was loaded by before.
        tokenizer: Of the model.
        model_cfg: open_clip's configuration of it, where it was read from files.
    """

    model: nn.Module
    backbone: str
    tokenizer: object
    model_cfg: Mapping[str, Any] | None = None
    file_name: ClassVar[str] = MODEL_NAME

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        """The state of the model."""
        return self.model.state_dict()

    def save(self, path: Path, _record: Mapping[str, Any]) -> None:
        """Write config, weights and tokenizer; a folder of open_clip has no place for a record."""
        write_folder(path, self.backbone, self.model, self.tokenizer, self.model_cfg)


def _cuts_padding(tokenizer: Tokenizer) -> bool:
    # A tokenizer does so only where the text tower masks padding, as that of `lite`.
    return tokenizer(["a"]).shape[1] < tokenizer(["a " * 500]).shape[1]
