"""The runner with a method of its own: a new one needs no more than this."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from accelerate.state import AcceleratorState
from rich.console import Console
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torchvision.transforms.functional import resize, to_tensor

from adapters.backbones import DualEncoder
from adapters.training.loop import LoopSettings
from adapters.training.method import Preprocessing, RunFacts, Training
from adapters.training.objective import Objective
from adapters.training.training_errors import CheckpointError
from service.settings import Settings
from service.training.checkpoint_file import CheckpointFile
from service.training.labelled_reader import read_labelled
from service.training.runner import Outcome, TrainingRun, run
from tests.coloured import write_coloured


@dataclass(frozen=True)
class TrainedProbe:
    """The weights of a linear classifier."""

    weight: Tensor
    file_name: ClassVar[str] = "probe.safetensors"

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        return {"weight": self.weight}

    def save(self, path: Path, record: Mapping[str, Any]) -> None:
        save_file(dict(self.tensors), path, {"record": json.dumps(record)})


class LinearProbe(Objective):
    """A linear classifier on a frozen image tower."""

    frozen = ("tower",)

    def __init__(self, tower: nn.Module, width: int, classes: int) -> None:
        super().__init__()
        self.tower = tower.requires_grad_(False)
        self.classifier = nn.Linear(width, classes)

    def forward(self, *batch: Tensor) -> Tensor:
        pixels, labels = batch
        return cross_entropy(self.classifier(self.tower(pixels)), labels)


class ProbeTraining(Training):
    def __init__(self, encoder: DualEncoder, classes: Sequence[str]) -> None:
        self.objective: LinearProbe = LinearProbe(encoder.visual, 32, len(classes))
        self.preprocessing = Preprocessing(
            transform=lambda image: (to_tensor(resize(image, [32, 32])),), labelled=True
        )
        self.identity = {"objective": "probe"}

    def record(self, facts: RunFacts) -> dict[str, Any]:
        return {"objective": "probe", "data": facts.data, **asdict(facts.settings), **facts.ended}

    def export(self) -> TrainedProbe:
        return TrainedProbe(self.objective.classifier.weight.detach().clone())


@dataclass(frozen=True)
class ProbeMethod:
    loop: LoopSettings

    @property
    def seed(self) -> int:
        return self.loop.seed

    def loop_settings(self, examples: int, processes: int) -> LoopSettings:
        assert (examples, processes) == (24, 1)
        return self.loop

    def build(self, encoder: DualEncoder, classes: Sequence[str]) -> ProbeTraining:
        return ProbeTraining(encoder, classes)


@pytest.fixture(autouse=True)
def _fresh_accelerate() -> None:
    AcceleratorState._reset_state(True)


@pytest.fixture
def asked(vit: str, tmp_path: Path) -> TrainingRun:
    return TrainingRun(
        method=ProbeMethod(LoopSettings(epochs=2, batch=8, learning_rate=0.1, save_every=1)),
        backbone=vit,
        data=read_labelled(write_coloured(tmp_path / "coloured", 8)),
        out=tmp_path / "run",
        settings=Settings(device="cpu"),
    )


def done(asked: TrainingRun) -> Outcome:
    return run(asked, Console(quiet=True))


def test_a_run_leaves_what_was_learned_with_its_record(asked: TrainingRun) -> None:
    outcome = done(asked)
    assert outcome.progress.step == 6
    assert outcome.progress.losses[-1] < outcome.progress.losses[0]
    assert outcome.path == asked.out / "probe.safetensors"
    assert sorted(path.name for path in asked.out.iterdir()) == [
        "losses.csv", "losses.png", "probe.safetensors", "training.json",
    ]  # fmt: skip
    made = json.loads((asked.out / "training.json").read_text())
    assert made == outcome.record
    assert made["data"]["name"] == "coloured"
    assert made["steps"] == 6
    assert made["loss"]["last"] == outcome.progress.losses[-1]


def test_a_resumed_run_ends_with_the_same_tensors(
    asked: TrainingRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = load_file(done(asked).path)
    begun = replace(asked, out=tmp_path / "begun", resume=True)
    write = CheckpointFile.write

    def write_one_and_stop(checkpoint: CheckpointFile, state: dict[str, Any]) -> None:
        write(checkpoint, state)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(CheckpointFile, "write", write_one_and_stop)
        with pytest.raises(KeyboardInterrupt):
            done(begun)
    other = ProbeMethod(LoopSettings(epochs=2, batch=8, learning_rate=0.2, save_every=1))
    with pytest.raises(CheckpointError, match=r"learning_rate 0.1 and not 0.2.*another --out"):
        done(replace(begun, method=other))
    assert torch.equal(load_file(done(begun).path)["weight"], whole["weight"])


def test_two_runs_with_one_seed_leave_the_same_bytes(asked: TrainingRun, tmp_path: Path) -> None:
    paths = [done(replace(asked, out=tmp_path / name)).path for name in ("one", "two")]
    assert paths[0].read_bytes() == paths[1].read_bytes()
