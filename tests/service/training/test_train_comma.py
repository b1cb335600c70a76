"""``handful train comma``: from a folder of images to prompts that are served."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from rich.console import Console
from typer.testing import CliRunner

from adapters.backbones import Backbone
from adapters.loading import load_backbone
from adapters.prompts import PromptError, load_prompts
from service.cli import app
from service.evaluation.base_to_novel import (
    generalisation,
    read_halves,
)
from service.settings import Settings
from service.storage.engine import open_database
from service.storage.fingerprints import Origin, OtherBackboneError, check_fingerprints
from tests.service.client import Classifier
from tests.service.colours import COLOURS, coloured, write_colours
from tests.service.pictures import encoded
from tests.service.server import Server
from tests.small_clip import write_small_clip


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_small_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_colours(tmp_path_factory.mktemp("colours"))


def train(clip: str, data: Path, out: Path, *more: str) -> Any:
    arguments = ["train", "comma", "--backbone", clip, "--data", str(data), "--out", str(out)]
    return CliRunner().invoke(
        app, [*arguments, "--depth", "2", "--device", "cpu", *more], catch_exceptions=False
    )


@pytest.fixture(scope="module")
def made(clip: str, data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A run from base to novel classes, and how the command ended."""
    out = tmp_path_factory.mktemp("made") / "run"
    return out, train(clip, data, out, "--base-to-novel", "--shots", "3", "--epochs", "2")


def test_a_run_leaves_prompts_and_their_record(made: tuple[Path, Any], clip: str) -> None:
    out, ended = made
    assert ended.exit_code == 0, ended.output
    assert {path.name for path in out.iterdir()} == {
        "prompts.safetensors",
        "training.json",
        "losses.csv",
        "losses.png",
    }
    record = json.loads((out / "training.json").read_text())
    assert record["objective"] == "comma"
    assert record["backbone"] == clip
    assert record["data"]["classes"] == ["GreenField", "blue_sea"]
    assert record["data"]["images"] == 6
    assert record["steps"] == 2
    kept = dict(load_prompts(out / "prompts.safetensors").record)
    assert kept == {name: value for name, value in record.items() if name != "seconds"}
    assert f"--prompts {out / 'prompts.safetensors'}" in ended.output.replace("\n", "")


def test_the_numbers_are_those_of_the_served_prompts(
    made: tuple[Path, Any], clip: str, data: Path
) -> None:
    out, ended = made
    found = json.loads((out / "training.json").read_text())["base_to_novel"]
    assert found["classes"] == {
        "base": ["GreenField", "blue_sea"],
        "novel": ["red-wall", "white snow"],
    }
    halves = read_halves(data)
    for name, backbone in (
        ("trained", load_backbone(clip, "cpu", prompts=out / "prompts.safetensors")),
        ("hand_written", load_backbone(clip, "cpu")),
    ):
        measured = generalisation(backbone, *halves, Settings(), Console(quiet=True))
        assert found[name] == measured.as_dict()
        assert f"{100 * measured.harmonic_mean:.1f}" in ended.stdout


def test_a_plain_folder_is_trained_on_as_a_whole(clip: str, data: Path, tmp_path: Path) -> None:
    ended = train(clip, data / "train", tmp_path, "--epochs", "1", "--precision", "no")
    assert ended.exit_code == 0, ended.output
    record = json.loads((tmp_path / "training.json").read_text())
    assert record["data"]["classes"] == sorted(COLOURS)
    assert record["data"]["images"] == 16
    assert "base_to_novel" not in record


def test_the_same_run_gives_the_same_file(clip: str, data: Path, tmp_path: Path) -> None:
    for run in ("one", "two"):
        assert train(clip, data, tmp_path / run, "--epochs", "1", "--shots", "1").exit_code == 0
    one, two = ((tmp_path / run / "prompts.safetensors").read_bytes() for run in ("one", "two"))
    assert one == two


def test_a_run_is_not_overwritten(made: tuple[Path, Any], clip: str, data: Path) -> None:
    ended = train(clip, data, made[0])
    assert ended.exit_code == 2
    assert "holds a finished run" in said(ended)


def said(ended: Any) -> str:
    """All that a command wrote, without the frame around it."""
    return " ".join(ended.output.replace("│", " ").split())


@pytest.mark.parametrize(
    ("arguments", "status", "named"),
    [
        (("--depth", "4"), 1, "4 layers are to be prompted, and the image tower has 3"),
        (("--template", "{}"), 1, "has 0 before the class name"),
        (("--template", "a photo"), 2, "has no {} for the class name"),
        (("--learning-rate", "0"), 2, "--learning-rate takes a positive number"),
        (("--shots", "1", "--batch", "5"), 1, "make the batch smaller"),
        (("--backbone", "lite"), 1, "lite has no towers that take prompts"),
        (("--device", "tpu"), 2, "--device takes cpu or cuda"),
        (("--data", "/no/such/folder"), 2, "there is no folder"),
    ],
)
def test_what_cannot_be_trained_is_explained(
    clip: str, data: Path, tmp_path: Path, arguments: tuple[str, ...], status: int, named: str
) -> None:
    ended = train(clip, data, tmp_path, *arguments)
    assert ended.exit_code == status, ended.output
    assert named in said(ended)
    assert "Traceback" not in ended.output


def test_templates_are_refused_beside_prompts(
    made: tuple[Path, Any], clip: str, data: Path
) -> None:
    arguments = ["evaluate", str(data), "--backbone", clip, "--template", "a {}."]
    ended = CliRunner().invoke(app, [*arguments, "--prompts", str(made[0] / "prompts.safetensors")])
    assert ended.exit_code == 2
    assert "--template does not go with prompts" in said(ended)


def test_prompts_are_evaluated(
    made: tuple[Path, Any], clip: str, data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "results"
    arguments = ["evaluate", str(data), "--backbone", clip, "--shots", "1", "--seeds", "1"]
    arguments += ["--methods", "zero-shot", "--no-cache", "--out", str(out)]
    ended = CliRunner().invoke(app, [*arguments, "--prompts", str(made[0] / "prompts.safetensors")])
    assert ended.exit_code == 0, ended.output
    assert f"--prompts {made[0]}" in (out / "results.json").read_text()


def direct(backbone: Backbone, labels: list[str], image: Image.Image) -> list[float]:
    """Zero-shot logits without the service."""
    pixels = backbone.preprocess(image).unsqueeze(0)
    logits = backbone.encode_images(pixels).frozen @ backbone.encode_classes(labels).T
    return [backbone.logit_scale * value for value in logits[0].tolist()]


@pytest.mark.long
def test_served_prompts_answer_as_computed_directly(
    made: tuple[Path, Any], clip: str, tmp_path: Path
) -> None:
    prompts = made[0] / "prompts.safetensors"
    query = coloured("navy", 99)
    labels = sorted(COLOURS)
    with Server.ready(tmp_path, backbone=clip, prompts=prompts, device="cpu") as server:
        with server.client() as http:
            classifier = Classifier(http, "colours")
            assert classifier.put(method="tip-adapter", templates=["{}!"]).status_code == 201
            for label in labels:
                images = [encoded(coloured(COLOURS[label], number)) for number in range(2)]
                assert classifier.post(label, *images).status_code == 201
            (answer,) = classifier.predictions(encoded(query))
        server.stop()
    backbone = load_backbone(clip, "cpu", prompts=prompts)
    expected = dict(zip(labels, direct(backbone, labels, query), strict=True))
    found = {ranked["label"]: ranked["zero_shot"] for ranked in answer["top_k"]}
    assert found == pytest.approx(expected, abs=1e-3)
    plain = dict(zip(labels, direct(load_backbone(clip, "cpu"), labels, query), strict=True))
    assert found != pytest.approx(plain, abs=1e-2)
    support = backbone.preprocess(coloured("navy", 0)), backbone.preprocess(query)
    one, other = backbone.encode_images(torch.stack(support)).frozen
    similar = [e["similarity"] for e in answer["evidence"] if e["label"] == "blue_sea"]
    assert any(value == pytest.approx(float(one @ other), abs=1e-3) for value in similar)
    _check_moves(clip, prompts, tmp_path)


def _check_moves(clip: str, prompts: Path, data_dir: Path) -> None:
    """The database is refused without the prompts, and can be moved away from them and back."""
    engine = open_database(Settings(data_dir=data_dir).sqlalchemy_url)
    plain = load_backbone(clip, "cpu")
    with pytest.raises(OtherBackboneError) as refused:
        check_fingerprints(engine, Origin(plain.fingerprint, plain.name))
    engine.dispose()
    assert f"Start with --backbone {clip} --prompts {prompts}, or" in str(refused.value)
    assert str(refused.value).endswith(f"handful re-embed --backbone {clip}")
    arguments = ["re-embed", "--backbone", clip, "--data-dir", str(data_dir)]
    for more in ([], ["--prompts", str(prompts)]):
        moved = CliRunner().invoke(app, [*arguments, *more])
        assert moved.exit_code == 0, moved.output
        assert "8 images embedded" in said(moved)


def test_prompts_of_another_backbone_are_refused(
    made: tuple[Path, Any], vit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HANDFUL_PROMPTS", str(made[0] / "prompts.safetensors"))
    prompts = Settings().prompts
    assert prompts is not None
    with pytest.raises(PromptError, match="whose weights are not those of"):
        load_backbone(vit, "cpu", prompts=prompts)
    with pytest.raises(PromptError, match="prompts need an open_clip model"):
        load_backbone("lite", "cpu", prompts=prompts)
