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
from adapters.backbones.errors import BackboneError
from PIL import Image
from safetensors.torch import load_file
from torch import nn

from adapters.backbones import load_backbone
from adapters.backbones.folder import folder_config
from adapters.backbones.lite import build_lite
from adapters.backbones.open_clip_models import load_open_clip
from adapters.corrections.bottleneck.checkpoint import load_adapter
from adapters.training.loop import CHECKPOINT_NAME, LoopSettings
from adapters.training.methods.mixup.method import FineTuned, fine_tune
from adapters.training.methods.mixup.model import Learned, choose
from adapters.training.methods.mixup.objective import MixupConfig, MixupObjective
from adapters.training.training_errors import CheckpointError, TrainingError
from service.training.held_out import hold_out
from service.training.text_pairs import Pair, read_pairs
from tests.reading import READ

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
    pairs: Sequence[Pair], tiny_vit: Path, out: Path, learned: Learned = "model", **more: Any
) -> FineTuned:
    settings = more.pop("settings", LoopSettings(epochs=3, batch=8, learning_rate=2e-3))
    return fine_tune(
        f"local-dir:{tiny_vit}",
        pairs,
        out,
        read=READ,
        learned=learned,
        mixup=ALL,
        settings=settings,
        data="pairs",
        device="cpu",
        **more,
    )


def test_it_learns_from_a_table_and_the_folder_can_be_loaded(
    pairs: list[Pair], tiny_vit: Path, tmp_path: Path
) -> None:
    done = run(pairs, tiny_vit, tmp_path / "run")
    made = json.loads((tmp_path / "run" / "training.json").read_text())
    assert made == done.made
    assert made["loss"]["last"] < made["loss"]["first"]
    before, after = made["held_out"]["before"], made["held_out"]["after"]
    assert before["pairs"] == 4
    assert after["alignment"] < before["alignment"]
    assert after["modality_gap"] < before["modality_gap"]
    assert (tmp_path / "run" / "losses.png").is_file()
    assert len((tmp_path / "run" / "losses.csv").read_text().splitlines()) == made["steps"] + 1
    assert not (tmp_path / "run" / CHECKPOINT_NAME).exists()
    old = load_backbone(f"local-dir:{tiny_vit}", "cpu")
    new = load_backbone(f"local-dir:{done.path}", "cpu")
    assert new.fingerprint != old.fingerprint
    assert new.logit_scale == pytest.approx(made["logit_scale"])


def test_a_shard_gives_the_weights_that_the_table_gives(
    pairs: list[Pair], tiny_vit: Path, tmp_path: Path
) -> None:
    settings = LoopSettings(epochs=1, batch=8, learning_rate=2e-3)
    table = run(pairs, tiny_vit, tmp_path / "table", settings=settings)
    packed = in_a_shard(pairs, tmp_path / "pairs.tar")
    shard = run(packed, tiny_vit, tmp_path / "shard", settings=settings)
    assert shard.made["loss"]["last"] < shard.made["loss"]["first"]
    assert equal(weights(table), weights(shard))


def weights(done: FineTuned) -> dict[str, torch.Tensor]:
    return load_file(done.path / "open_clip_model.safetensors" if done.path.is_dir() else done.path)


def equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_projections_alone_change(pairs: list[Pair], tiny_vit: Path, tmp_path: Path) -> None:
    done = run(pairs, tiny_vit, tmp_path, "projections")
    before, after = load_file(tiny_vit / "open_clip_model.safetensors"), weights(done)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"visual.proj", "text_projection", "logit_scale"}
    assert done.made["loss"]["last"] < done.made["loss"]["first"]


def test_an_adapter_is_left_that_fits_the_tower(
    pairs: list[Pair], tiny_vit: Path, tmp_path: Path
) -> None:
    settings = LoopSettings(epochs=2, batch=8, learning_rate=5e-2)
    done = run(pairs, tiny_vit, tmp_path, "adapter", settings=settings)
    assert done.made["loss"]["last"] < done.made["loss"]["first"]
    visual = load_open_clip(f"local-dir:{tiny_vit}")[0].get_submodule("visual")
    adapter = load_adapter(done.path, visual, "tiny")
    assert any(layer.up.weight.abs().max() > 0 for layer in adapter.layers)


@pytest.mark.parametrize("learned", ["model", "adapter"])
def test_a_resumed_run_ends_with_the_same_weights(
    pairs: list[Pair], tiny_vit: Path, tmp_path: Path, learned: Learned
) -> None:
    settings = LoopSettings(epochs=2, batch=8, learning_rate=2e-3, save_every=1)
    whole = run(pairs, tiny_vit, tmp_path / "whole", learned, settings=settings)

    def stop(step: int, _steps: int, _loss: float) -> None:
        if step == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(pairs, tiny_vit, tmp_path / "part", learned, settings=settings, report=stop)
    assert (tmp_path / "part" / CHECKPOINT_NAME).is_file()
    with pytest.raises(CheckpointError, match="pairs"):
        run(pairs[1:], tiny_vit, tmp_path / "part", learned, settings=settings, resume=True)
    resumed = run(pairs, tiny_vit, tmp_path / "part", learned, settings=settings, resume=True)
    assert equal(weights(whole), weights(resumed))
    assert resumed.made["loss"] == whole.made["loss"]


def test_broken_images_are_counted(pairs: list[Pair], tiny_vit: Path, tmp_path: Path) -> None:
    some = list(pairs)
    for number in range(8):
        broken = tmp_path / f"{number}.png"
        broken.write_bytes(b"no image")
        some.insert(5 * number, Pair(broken, "broken"))
    learning, held_out = hold_out(some, seed=0)
    expected = sorted({pair.image for pair in learning if pair.text == "broken"})
    done = run(some, tiny_vit, tmp_path / "run", settings=LoopSettings(batch=len(learning)))
    assert done.broken == expected
    assert done.made["data"]["unreadable_images"] == len(expected) > 0
    readable = [pair for pair in held_out if pair.text != "broken"]
    assert done.made["held_out"]["after"]["pairs"] == len(readable)


def test_all_texts_of_a_held_out_image_are_held_out(pairs: list[Pair]) -> None:
    double = [pair for pair in pairs for _ in range(2)]
    learning, held_out = hold_out(double, seed=0)
    assert len(held_out) == 4
    assert len(learning) == 72
    assert not {pair.image for pair in learning} & {pair.image for pair in held_out}
    assert hold_out(double, seed=0)[1] == held_out != hold_out(double, seed=1)[1]


def test_lite_takes_an_adapter_only(pairs: list[Pair], tmp_path: Path) -> None:
    settings = LoopSettings(batch=8, learning_rate=1e-3)
    arguments: Any = {"mixup": ALL, "settings": settings, "data": "pairs", "device": "cpu"}
    with pytest.raises(TrainingError, match="learn an adapter"):
        fine_tune("lite", pairs, tmp_path, read=READ, learned="projections", **arguments)
    done = fine_tune("lite", pairs[:20], tmp_path, read=READ, learned="adapter", **arguments)
    assert done.path.is_file()


def test_projections_of_lite_are_known() -> None:
    names = choose(build_lite()[0], "projections")
    assert names == ["visual.head.proj.weight", "text.proj.values", "logit_scale"]


def test_a_model_without_projections_says_so() -> None:
    class NoProjections(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.visual = nn.Linear(2, 2)
            self.text_projection = nn.Parameter(torch.zeros(2))

    with pytest.raises(TrainingError, match="the image tower of this model has no projection"):
        choose(NoProjections(), "projections")


def test_the_logit_scale_is_bounded(tiny_vit: Path) -> None:
    model: Any = load_open_clip(f"local-dir:{tiny_vit}")[0]
    objective = MixupObjective(model, MixupConfig())
    with torch.no_grad():
        model.logit_scale.fill_(9.0)
    objective.after_step(0.5)
    assert float(model.logit_scale.detach().exp()) == pytest.approx(100)
    assert not objective.train().model.training


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"weights": {"m3": 1.0}}, "there is no mix 'm3'; there are m2, v, l, vl"),
        ({"weights": {"m2": -1.0}}, "at least 0"),
        ({"shape": 0.0}, "positive"),
        ({"m2_temperature": float("nan")}, "positive"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MixupConfig(**settings)


def test_the_config_of_a_tag_has_its_activation(tiny_vit: Path) -> None:
    model, _, tokenizer = load_open_clip(f"local-dir:{tiny_vit}")
    openai = folder_config("ViT-B-32/openai", model, tokenizer)
    assert openai["model_cfg"]["quick_gelu"] is True
    laion = folder_config("ViT-B-32/laion2b_s34b_b79k", model, tokenizer)
    assert laion["model_cfg"]["quick_gelu"] is False
    with pytest.raises(BackboneError, match="has no config"):
        folder_config("lite", model, tokenizer)
