"""The benchmark of a GPU, on what there is here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from benchmarks.load.process import ROOT


def test_the_command_measures_encoder_and_cache(tmp_path: Path) -> None:
    command = "-m benchmarks.gpu --model ViT-S-32-alt --device cpu --batches 1 2 --product 128"
    command += f" --keys 500 --connections 0 --seconds 0.05 --out {tmp_path}"
    subprocess.run([sys.executable, *command.split()], cwd=ROOT, check=True)
    told = json.loads((tmp_path / "gpu.json").read_text())
    assert [row["batch"] for row in told["rows"]] == [2, 1, 2]
    # A ViT of 50 tokens, 12 blocks and width 384; the adapters add a few per cent to its two passes.
    one = 12 * 50 * (24 * 384**2 + 4 * 50 * 384)
    assert 2 * one < 1e9 * told["GFLOP an image, both embeddings"] < 2.15 * one
    for row in told["rows"]:
        rate = row["images/s"] * told["GFLOP an image, both embeddings"] / 1e3
        assert abs(row["TFLOP/s"] / rate - 1) < 1e-6
    assert told["caches"][0]["keys"] == 500
    assert (tmp_path / "gpu.png").stat().st_size > 0
