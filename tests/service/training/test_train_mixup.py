"""`handful train mixup` in processes of its own, as a user runs it."""

from __future__ import annotations

import csv
import json
import subprocess
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from adapters.loading import load_backbone
from service.cli import app
from tests.service.server import run_handful, run_ranks
from tests.tiny_vit import write_tiny_vit

COMMAND = ["train", "mixup", "--device", "cpu", "--workers", "0"]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mixup")
    (folder / "tiny").mkdir()
    write_tiny_vit(folder / "tiny")
    rows = ["filepath\ttitle"]
    for number in range(40):
        Image.new("RGB", (32, 32), (6 * number, 0, 240 - 6 * number)).save(folder / f"{number}.png")
        rows.append(f"{number}.png\tpart {number} of a rainbow")
    (folder / "pairs.csv").write_text("\n".join(rows))
    return folder


def arguments(here: Path, *more: object) -> list[str]:
    data = ["--backbone", f"local-dir:{here / 'tiny'}", "--data", here / "pairs.csv"]
    return [*map(str, data), *map(str, more)]


RUN = ("--epochs", 2, "--learning-rate", 1e-3, "--mix", "m2", "--mix", "vl", "--mix-weight", 0.2)


@pytest.fixture(scope="module")
def run(here: Path) -> subprocess.CompletedProcess[str]:
    return run_handful(*COMMAND, *arguments(here, *RUN, "--out", here / "run", "--batch", 16))


def test_a_run_is_done_and_its_model_can_be_served(
    here: Path, run: subprocess.CompletedProcess[str]
) -> None:
    assert run.returncode == 0, run.stderr
    made = json.loads((here / "run" / "training.json").read_text())
    assert made == json.loads(run.stdout)
    assert made["mixup"]["weights"] == {"m2": 0.2, "vl": 0.2}
    assert made["held_out"]["after"]["pairs"] == 4
    served = f"local-dir:{here / 'run' / 'model'}"
    assert f"handful serve --backbone {served}" in run.stderr
    assert load_backbone(served, "cpu").width == 32


@pytest.mark.long
def test_two_processes_are_one_with_twice_the_batch(
    here: Path, run: subprocess.CompletedProcess[str]
) -> None:
    first, second = run_ranks(
        2, *COMMAND, *arguments(here, *RUN, "--out", here / "two", "--batch", 8)
    )
    assert first.returncode == 0, first.stderr
    assert second.returncode == 0, second.stderr
    assert json.loads(first.stdout)["settings"]["processes"] == 2
    assert second.stdout == ""
    losses = [
        [
            float(row["loss"])
            for row in csv.DictReader((here / name / "losses.csv").read_text().splitlines())
        ]
        for name in ("run", "two")
    ]
    assert len(losses[0]) == 4
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        (["--out", "{here}/run"], 2, "holds a finished run"),
        (["--out", "{here}/run", "--resume"], 2, "there is nothing to resume"),
        (["--data", "absent.csv"], 2, "there is no file absent.csv"),
        (["--data", "absent.tar"], 2, "there is no file absent.tar"),
        (["--mix", "m3"], 2, "'m3' is not one of 'm2', 'v', 'l', 'vl'"),
        (["--learning-rate", "-1"], 2, "is a positive number"),
        (["--batch", "512"], 1, "36 examples are less than one step of 512"),
        (["--backbone", "lite"], 1, "--learn adapter"),
    ],
)
@pytest.mark.usefixtures("run")
def test_wrong_arguments_end_with_status_and_message(
    here: Path, more: list[str], code: int, message: str
) -> None:
    given = arguments(here, "--out", here / "wrong", *(part.format(here=here) for part in more))
    done = CliRunner().invoke(app, ["train", "mixup", *given], env={"COLUMNS": "400"})
    assert done.exit_code == code
    assert message in " ".join(done.stderr.replace("│", " ").split())
    assert "Traceback" not in done.stderr
