"""The benchmark of a GPU, on what there is here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.load.process import ROOT


def test_the_command_measures_encoder_and_cache(tmp_path: Path) -> None:
    command = "-m benchmarks.gpu --model ViT-S-32-alt --device cpu --batches 1 2 --product 128"
    command += f" --keys 500 --processes --seconds 0.05 --out {tmp_path}"
    subprocess.run([sys.executable, *command.split()], cwd=ROOT, check=True)
    told = json.loads((tmp_path / "gpu.json").read_text())
    assert [row["batch"] for row in told["rows"]] == [2, 1, 2]
    # 50 tokens of width 384 and 12 blocks. The first one is computed once for both embeddings, and
    # the adapters of the others work on one of them.
    block, bottleneck = 50 * (24 * 384**2 + 4 * 50 * 384), 50 * 4 * 384 * 64
    patches = 49 * 2 * 3072 * 384
    expected = (23 * block + 12 * bottleneck + patches) / 1e9
    assert told["GFLOP an image, both embeddings"] == pytest.approx(expected, rel=0.002)
    for row in told["rows"]:
        rate = row["images/s"] * told["GFLOP an image, both embeddings"] / 1e3
        assert abs(row["TFLOP/s"] / rate - 1) < 1e-6
    assert told["caches"][0]["keys"] == 500
    assert (tmp_path / "gpu.png").stat().st_size > 0


def test_the_command_measures_passes_and_their_kernels(tmp_path: Path) -> None:
    command = "-m benchmarks.gpu_kernels --model ViT-S-32-alt --device cpu --batch 2"
    command += f" --product 128 --seconds 0.05 --out {tmp_path}"
    subprocess.run([sys.executable, *command.split()], cwd=ROOT, check=True)
    passes, kernels = (
        json.loads((tmp_path / f"{name}.json").read_text())["rows"]
        for name in ("gpu_passes", "gpu_kernels")
    )
    assert [row["pass"] for row in passes] == ["PyTorch", "leaner", "leaner, compiled"]
    assert all(row["ms"] > 0 for row in passes)
    assert any("addmm" in row["kernel"] for row in kernels)
    assert [row["ms a pass"] for row in kernels] == sorted(
        (row["ms a pass"] for row in kernels), reverse=True
    )
