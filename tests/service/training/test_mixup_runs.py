"""Fine-tuning on pairs, on a tiny CLIP with random weights."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console
from safetensors.torch import load_file

from adapters.backbones.open_clip_models import load_open_clip
from adapters.corrections.bottleneck.checkpoint import load_adapter
from adapters.loading import load_backbone
from adapters.training.loop import LoopSettings
from adapters.training.methods.mixup import Learned, MixupConfig, MixupMethod
from adapters.training.training_errors import CheckpointError, TrainingError
from service.settings import Settings
from service.training.checkpoint_file import CheckpointFile
from service.training.held_out import HeldOutPairs, hold_out
from service.training.run_folder import CHECKPOINT_NAME
from service.training.runner import Outcome, TrainingRun
from service.training.runner import run as run_training
from service.training.text_pairs import Pair, digest, read_pairs
from service.training.training_pairs import TrainingPairs
from tests.reading import READ

pytestmark = pytest.mark.long

ALL = MixupConfig({"m2": 0.1, "v": 0.1, "l": 0.1, "vl": 0.1})
COLOURS = ("red", "lime", "blue", "yellow", "white", "black", "purple", "orange")


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> list[Pair]:
    folder = tmp_path_factory.mktemp("pairs")
    rows = ["image,text"]
    for number in range(40):
        colour = COLOURS[number % len(COLOURS)]
        image = Image.new("RGB", (36, 36), colour)
        noise = np.random.default_rng(number).integers(0, 40, (36, 36, 3), dtype=np.uint8)
        Image.blend(image, Image.fromarray(noise), 0.2).save(folder / f"{number}.png")
        rows.append(f"{number}.png,a {colour} wall")
    (folder / "pairs.csv").write_text("\n".join(rows))
    return read_pairs(str(folder / "pairs.csv"))


def in_a_shard(pairs: Sequence[Pair], path: Path) -> list[Pair]:
    with tarfile.open(path, "w") as archive:
        for number, pair in enumerate(pairs):
            for suffix, content in (("png", pair.path.read_bytes()), ("txt", pair.text.encode())):
                member = tarfile.TarInfo(f"{number:04}.{suffix}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return read_pairs(str(path))


def run(
    pairs: Sequence[Pair],
    backbone: str,
    out: Path,
    learned: Learned = "model",
    *,
    settings: LoopSettings | None = None,
    resume: bool = False,
) -> Outcome:
    loop = settings or LoopSettings(epochs=3, batch=8, learning_rate=2e-3)
    learning, held_out = hold_out(pairs, loop.seed)
    asked = TrainingRun(
        method=MixupMethod(learned, ALL, loop),
        backbone=backbone,
        data=TrainingPairs(learning, digest(pairs), "pairs"),
        out=out,
        settings=Settings(device="cpu"),
        resume=resume,
        measurement=HeldOutPairs(held_out, READ, "cpu"),
    )
    return run_training(asked, Console(quiet=True))


def test_it_learns_from_a_table_and_the_folder_can_be_loaded(
    pairs: list[Pair], vit: str, tmp_path: Path
) -> None:
    done = run(pairs, vit, tmp_path / "run")
    made = json.loads((tmp_path / "run" / "training.json").read_text())
    assert made == done.record
    assert made["loss"]["last"] < made["loss"]["first"]
    before, after = made["held_out"]["before"], made["held_out"]["after"]
    assert before["pairs"] == 4
    assert after["alignment"] < before["alignment"]
    assert after["modality_gap"] < before["modality_gap"]
    assert (tmp_path / "run" / "losses.png").is_file()
    assert len((tmp_path / "run" / "losses.csv").read_text().splitlines()) == made["steps"] + 1
    assert not (tmp_path / "run" / CHECKPOINT_NAME).exists()
    old = load_backbone(vit, "cpu")
    new = load_backbone(f"local-dir:{done.path}", "cpu")
    assert new.fingerprint != old.fingerprint
    assert new.logit_scale == pytest.approx(made["logit_scale"])


def test_a_shard_gives_the_weights_that_the_table_gives(
    pairs: list[Pair], vit: str, tmp_path: Path
) -> None:
    settings = LoopSettings(epochs=1, batch=8, learning_rate=2e-3)
    table = run(pairs, vit, tmp_path / "table", settings=settings)
    packed = in_a_shard(pairs, tmp_path / "pairs.tar")
    shard = run(packed, vit, tmp_path / "shard", settings=settings)
    assert shard.record["loss"]["last"] < shard.record["loss"]["first"]
    assert equal(weights(table), weights(shard))


def weights(done: Outcome) -> dict[str, torch.Tensor]:
    return load_file(done.path / "open_clip_model.safetensors" if done.path.is_dir() else done.path)


def equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_training_projections_changes_no_other_weight(
    pairs: list[Pair], vit: str, tmp_path: Path
) -> None:
    done = run(pairs, vit, tmp_path, "projections")
    before, after = (
        load_file(Path(vit.removeprefix("local-dir:")) / "open_clip_model.safetensors"),
        weights(done),
    )
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"visual.proj", "text_projection", "logit_scale"}
    assert done.record["loss"]["last"] < done.record["loss"]["first"]


def test_an_adapter_is_left_that_fits_the_tower(
    pairs: list[Pair], vit: str, tmp_path: Path
) -> None:
    settings = LoopSettings(epochs=2, batch=8, learning_rate=5e-2)
    done = run(pairs, vit, tmp_path, "adapter", settings=settings)
    assert done.record["loss"]["last"] < done.record["loss"]["first"]
    visual = load_open_clip(vit).visual
    adapter = load_adapter(done.path, visual, "tiny")
    assert any(
        value.any() for name, value in adapter.state_dict().items() if name.endswith("up.weight")
    )


@pytest.mark.parametrize("learned", ["model", "adapter"])
def test_a_resumed_run_ends_with_the_same_weights(
    pairs: list[Pair],
    vit: str,
    tmp_path: Path,
    learned: Learned,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = LoopSettings(epochs=2, batch=8, learning_rate=2e-3, save_every=1)
    whole = run(pairs, vit, tmp_path / "whole", learned, settings=settings)

    write, written = CheckpointFile.write, []

    def stop(checkpoint: CheckpointFile, state: dict[str, Any]) -> None:
        write(checkpoint, state)
        written.append(len(state["losses"]))
        if len(written) == 6:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(CheckpointFile, "write", stop)
        with pytest.raises(KeyboardInterrupt):
            run(pairs, vit, tmp_path / "part", learned, settings=settings)
    assert (tmp_path / "part" / CHECKPOINT_NAME).is_file()
    with pytest.raises(CheckpointError, match="pairs"):
        run(pairs[1:], vit, tmp_path / "part", learned, settings=settings, resume=True)
    resumed = run(pairs, vit, tmp_path / "part", learned, settings=settings, resume=True)
    assert equal(weights(whole), weights(resumed))
    assert resumed.record["loss"] == whole.record["loss"]


def test_broken_images_are_counted(pairs: list[Pair], vit: str, tmp_path: Path) -> None:
    some = list(pairs)
    for number in range(8):
        broken = tmp_path / f"{number}.png"
        broken.write_bytes(b"no image")
        some.insert(5 * number, Pair(broken, "broken"))
    learning, held_out = hold_out(some, seed=0)
    expected = sorted({pair.image for pair in learning if pair.text == "broken"})
    done = run(some, vit, tmp_path / "run", settings=LoopSettings(batch=len(learning)))
    assert done.unreadable == expected
    assert done.record["data"]["unreadable_images"] == len(expected) > 0
    readable = [pair for pair in held_out if pair.text != "broken"]
    assert done.record["held_out"]["after"]["pairs"] == len(readable)


def test_all_texts_of_a_held_out_image_are_held_out(pairs: list[Pair]) -> None:
    double = [pair for pair in pairs for _ in range(2)]
    learning, held_out = hold_out(double, seed=0)
    assert len(held_out) == 4
    assert len(learning) == 72
    assert not {pair.image for pair in learning} & {pair.image for pair in held_out}
    assert hold_out(double, seed=0)[1] == held_out != hold_out(double, seed=1)[1]


def test_lite_takes_an_adapter_only(pairs: list[Pair], tmp_path: Path) -> None:
    settings = LoopSettings(batch=8, learning_rate=1e-3)
    with pytest.raises(TrainingError, match="learn an adapter"):
        run(pairs, "lite", tmp_path, "projections", settings=settings)
    done = run(pairs[:20], "lite", tmp_path, "adapter", settings=settings)
    assert done.path.is_file()
