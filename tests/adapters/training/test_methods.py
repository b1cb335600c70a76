"""Every training method from tensors to tensors: build, step, export, without a file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState
from PIL import Image
from torch import Tensor

from adapters.backbones import DualEncoder
from adapters.loading import load_dual_encoder
from adapters.prompts import CommaConfig
from adapters.training.loop import LoopSettings, train
from adapters.training.method import Preprocessing, RunFacts, TrainingMethod
from adapters.training.methods.comma import CommaMethod
from adapters.training.methods.imo import RECIPES, ImoConfig, ImoMethod
from adapters.training.methods.imo.objectives.dino import Dino
from adapters.training.methods.imo.objectives.dino_published import PublishedDino
from adapters.training.methods.mixup import MixupConfig, MixupMethod
from adapters.training.order import Turn
from tests.small_clip import write_small_clip

CLASSES = ("red", "green")
LOOP = LoopSettings(learning_rate=1e-3)
METHODS: dict[str, TrainingMethod] = {
    **{f"imo {name}": ImoMethod(ImoConfig(objective=name)) for name in RECIPES},
    "mixup model": MixupMethod("model", MixupConfig(), LOOP),
    "mixup projections": MixupMethod("projections", MixupConfig(), LOOP),
    "mixup adapter": MixupMethod("adapter", MixupConfig(), LOOP),
    "comma": CommaMethod(CommaConfig(depth=2)),
}


@pytest.fixture(autouse=True)
def _fresh_accelerate() -> None:
    AcceleratorState._reset_state(True)


@pytest.fixture(autouse=True)
def _small_heads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(Dino.__init__.__kwdefaults__, "outputs", 64)
    monkeypatch.setitem(PublishedDino.__init__.__kwdefaults__, "outputs", 64)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_small_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture
def encoder(clip: str) -> DualEncoder:
    return load_dual_encoder(clip)


class Noise:
    """Eight images of noise, with what else a method asks for."""

    def __init__(self, preprocessing: Preprocessing) -> None:
        self.preprocessing = preprocessing

    def __len__(self) -> int:
        return 8

    def __getitem__(self, turn: Turn) -> tuple[Tensor, ...]:
        pixels = np.random.default_rng(turn.example).integers(0, 256, (40, 40, 3), dtype=np.uint8)
        tensors = self.preprocessing.transform(Image.fromarray(pixels))
        if self.preprocessing.labelled:
            return (*tensors, torch.tensor(turn.example % len(CLASSES)))
        if self.preprocessing.tokenizer is not None:
            return (*tensors, self.preprocessing.tokenizer([f"number {turn.example}"])[0])
        return tensors


@pytest.mark.parametrize("name", METHODS)
def test_what_is_learned_is_exported(name: str, encoder: DualEncoder) -> None:
    method = METHODS[name]
    torch.manual_seed(method.seed)
    training = method.build(encoder, CLASSES)
    before = {key: value.clone() for key, value in training.export().tensors.items()}
    settings = replace(method.loop_settings(8, 1), epochs=1, batch=4)
    progress = train(training.objective, Noise(training.preprocessing), settings, device="cpu")
    assert progress.step == 2
    after = training.export().tensors
    assert after.keys() == before.keys()
    assert all(bool(value.isfinite().all()) for value in after.values())
    assert any(not torch.equal(value, before[key]) for key, value in after.items())


@pytest.mark.parametrize("name", METHODS)
def test_a_record_tells_what_was_trained_and_on_what(
    name: str, encoder: DualEncoder, tmp_path: Path
) -> None:
    method = METHODS[name]
    training = method.build(encoder, CLASSES)
    ended: dict[str, Any] = {"steps": 2, "seconds": 0.1}
    facts = RunFacts(
        data={"digest": "0123"},
        settings=method.loop_settings(512, 1),
        processes=1,
        measured={"accuracy": 0.5},
        ended=ended,
    )
    record = training.record(facts)
    assert record["backbone"] == encoder.name
    assert record["data"] == {"digest": "0123"}
    assert record["steps"] == 2
    trained = training.export()
    trained.save(tmp_path / trained.file_name, record)
    assert (tmp_path / trained.file_name).exists()
