"""`handful train imo`, as somebody runs it."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from adapters.corrections.bottleneck.checkpoint import load_adapter, training_record
from adapters.loading import load_dual_encoder
from service.cli import app
from tests.coloured import write_coloured
from tests.service.forked import ForkedHandful
from tests.service.server import run_handful
from tests.tiny_vit import write_tiny_vit

WAIT = 120
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}


@pytest.fixture(scope="module")
def vit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_vit(tmp_path_factory.mktemp("vit"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_coloured(tmp_path_factory.mktemp("coloured"), 16)


def arguments(vit: Path, data: Path, out: Path, *more: str) -> list[str]:
    return [
        "train", "imo", "--backbone", f"local-dir:{vit}", "--data", str(data), "--out", str(out),
        "--objective", "supervised", "--device", "cpu", "--workers", "0", "--batch", "8",
        "--width", "8", "--scale", "0.5", *more,
    ]  # fmt: skip


def refused(*given: str) -> str:
    found = CliRunner().invoke(app, list(given), env={"COLUMNS": "2000"})
    assert found.exit_code != 0
    assert found.exception is None or isinstance(found.exception, SystemExit)
    # The message may be in a box.
    return " ".join(found.output.replace("│", " ").split())


@pytest.mark.long
def test_a_run_that_was_killed_is_resumed_to_the_same_bytes(
    vit: Path, data: Path, tmp_path: Path
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    epochs = "12"
    said = tmp_path / "said"
    process = ForkedHandful(
        arguments(vit, data, parts, "--epochs", epochs, "--workers", "1"), ENVIRONMENT, said, said
    )
    deadline = time.monotonic() + WAIT
    while not (parts / "checkpoint.pt").exists():
        assert process.poll() is None, said.read_text()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.kill()
    process.wait(WAIT)
    assert [path.name for path in parts.iterdir() if path.suffix != ".part"] == ["checkpoint.pt"]

    # It is not begun anew by accident.
    output = refused(*arguments(vit, data, parts, "--epochs", epochs))
    assert "holds a run that is not finished; go on with it with --resume" in output

    resumed = run_handful(*arguments(vit, data, parts, "--epochs", epochs, "--resume"))
    assert resumed.returncode == 0, resumed.stderr
    run = run_handful(*arguments(vit, data, whole, "--epochs", epochs))
    assert run.returncode == 0, run.stderr
    for name in ("adapter.safetensors", "losses.csv"):
        assert (parts / name).read_bytes() == (whole / name).read_bytes(), name
    assert "handful serve" in run.stdout + run.stderr

    assert sorted(path.name for path in parts.iterdir()) == [
        "adapter.safetensors", "losses.csv", "losses.png", "training.json",
    ]  # fmt: skip
    with (whole / "losses.csv").open() as file:
        losses = [float(row["loss"]) for row in csv.DictReader(file)]
    assert len(losses) == 6 * int(epochs)
    assert sum(losses[-12:]) < 0.5 * sum(losses[:12])
    made = json.loads((whole / "training.json").read_text())
    assert made["data"]["images"] == 48
    assert made["learning_rate"] == 8e-3
    assert made["unreadable_images"] == 0
    assert training_record(whole / "adapter.safetensors")["objective"] == "supervised"
    encoder = load_dual_encoder(f"local-dir:{vit}")
    adapter = load_adapter(whole / "adapter.safetensors", encoder.visual, encoder.name)
    assert adapter.config.width == 8

    assert "finished, there is nothing to resume" in refused(
        *arguments(vit, data, whole, "--resume")
    )
    assert "holds a finished run; name another" in refused(*arguments(vit, data, whole))


@pytest.mark.long
def test_two_processes_under_torchrun_leave_one_adapter(
    vit: Path, data: Path, tmp_path: Path
) -> None:
    (data / "red" / "broken.png").write_bytes(b"no image")
    try:
        given = arguments(vit, data, tmp_path / "run", "--objective", "dino", "--epochs", "1")
        found = subprocess.run(
            [
                *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
                *("--nproc-per-node", "2", "-m", "service.cli", *given),
            ],
            env={**ENVIRONMENT, "ACCELERATE_USE_CPU": "true"},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
    finally:
        (data / "red" / "broken.png").unlink()
    assert found.returncode == 0, found.stderr
    made = json.loads((tmp_path / "run" / "training.json").read_text())
    assert made["processes"] == 2
    assert made["steps"] == 3
    # The published rate is for steps of 256 images.
    assert made["learning_rate"] == pytest.approx(8e-4 * 16 / 256)
    assert made["unreadable_images"] == 1
    assert found.stderr.count("handful serve") == 1
    assert (tmp_path / "run" / "adapter.safetensors").is_file()


def test_what_cannot_be_trained_is_explained_before_it_begins(
    vit: Path, data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    assert "no objective 'other'; there are supervised, dino" in refused(
        *arguments(vit, data, out, "--objective", "other")
    )
    assert "no images in" in refused(*arguments(vit, tmp_path, out))
    assert "--places takes numbers of blocks, as 5,6,7" in refused(
        *arguments(vit, data, out, "--places", "last")
    )
    assert "named twice" in refused(*arguments(vit, data, out, "--places", "1,1"))
    assert "this image tower has 0 to 1" in refused(*arguments(vit, data, out, "--places", "2"))
    assert "--device takes cpu or cuda" in refused(*arguments(vit, data, out, "--device", "tpu"))
    assert "less than one step of 64 x 1 x 1" in refused(
        *arguments(vit, data, out, "--batch", "64")
    )
    assert "a classifier needs 2" in refused(*arguments(vit, data / "red", out))
    assert not list(out.iterdir())
    table = tmp_path / "table.csv"
    table.write_text("path,label\na.png,x\n")
    assert "1 of 1 images" in refused(*arguments(vit, table, out))
