"""The published recipes by their commands: what they are set to, and what replaces it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from adapters.prompts import load_prompts
from service.cli import app
from tests.coloured import write_coloured
from tests.small_clip import write_small_clip


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_small_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_coloured(tmp_path_factory.mktemp("coloured"), 4)


def train(method: str, clip: str, data: Path, out: Path, *more: str) -> dict[str, Any]:
    """Run a command and return the record of the run."""
    arguments = ["train", method, "--backbone", clip, "--data", str(data), "--out", str(out)]
    ended = CliRunner().invoke(app, [*arguments, "--device", "cpu", *more], catch_exceptions=False)
    assert ended.exit_code == 0, ended.output
    made: dict[str, Any] = json.loads((out / "training.json").read_text())
    return made


def test_supervised_as_published(clip: str, data: Path, tmp_path: Path) -> None:
    given = ("--objective", "supervised-published", "--batch", "6", "--workers", "0")
    made = train("imo", clip, data, tmp_path / "one", *given)
    assert made["adapter"] == {"width": 64, "scale": 0.03, "places": None}
    assert (made["schedule"], made["decays"], made["learning_rate"]) == ("constant", "all", 8e-3)
    assert made["steps"] == 2
    changed = ("--scale", "0.2", "--places", "1", "--seed", "5")
    made = train("imo", clip, data, tmp_path / "two", *given, *changed)
    assert made["adapter"] == {"width": 64, "scale": 0.2, "places": [1]}
    assert made["seed"] == 5


def test_comma_as_published(clip: str, data: Path, tmp_path: Path) -> None:
    given = ("--preset", "published", "--depth", "2", "--template", "{}, a type of colour.")
    made = train("comma", clip, data, tmp_path / "one", *given)
    assert (made["optimiser"], made["schedule"], made["learning_rate"]) == ("sgd", "epochs", 0.0035)
    assert (made["epochs"], made["batch"], made["seed"]) == (5, 4, 1)
    assert made["terms"] == {"generators": "fixed", "anchor": "{}, a type of colour."}
    # P and V_0's linear map; the generators stay as they are.
    assert made["learned_parameters"] == 2 * 2 * 48 + 48 * 64 + 64
    # Texts are served with the words that the prompts took the place of.
    prompts = load_prompts(tmp_path / "one" / "prompts.safetensors")
    assert prompts.config.template == "a photo of a {}."
    learned = ("--preset", "cross-dataset", "--generators", "learned")
    made = train("comma", clip, data, tmp_path / "two", *learned)
    assert made["prompts"]["depth"] == 3
    assert (made["epochs"], made["learning_rate"]) == (2, 0.0026)
    assert made["terms"]["generators"] == "learned"


def test_generators_can_be_fixed_in_our_own_recipe(clip: str, data: Path, tmp_path: Path) -> None:
    made = train("comma", clip, data, tmp_path, "--depth", "2", "--generators", "fixed")
    assert made["terms"] == {"generators": "fixed", "anchor": None}
    assert (made["optimiser"], made["learning_rate"]) == ("adamw", 1e-3)


def test_mixup_as_published(clip: str, tmp_path: Path) -> None:
    rows = ["image,text"]
    for number in range(8):
        Image.new("RGB", (32, 32), (30 * number, 0, 0)).save(tmp_path / f"{number}.png")
        rows.append(f"{number}.png,red {number}")
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("\n".join(rows))
    given = ("--preset", "published", "--batch", "8", "--epochs", "2", "--workers", "0")
    made = train("mixup", clip, pairs, tmp_path / "one", *given)
    assert made["steps"] == 2  # No pair is held out.
    assert "held_out" not in made
    assert made["augmented"] is False
    assert made["mixup"] == {
        "weights": {"m2": 0.01},
        "shape": 0.5,
        "m2_shape": 0.5,
        "m2_temperature": 0.07,
        "temperature": 0.01,
        "fading": True,
    }
    assert (made["settings"]["decays"], made["settings"]["seed"]) == ("all", 1)
    mixes = [word for mix in ("m2", "v", "l", "vl") for word in ("--mix", mix)]
    made = train("mixup", clip, pairs, tmp_path / "two", *given, *mixes)
    assert made["mixup"]["m2_shape"] == 0.2
    assert made["mixup"]["shape"] == 0.5
