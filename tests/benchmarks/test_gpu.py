"""The benchmark of a GPU, on what there is here."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import open_clip
import pytest

from benchmarks import gpu, gpu_kernels
from tests.tiny_vit import CONFIG

TOKENS, WIDTH, BLOCKS, PIXELS, EMBEDDING, ADAPTER = 17, 64, 2, 3 * 8 * 8, 32, 64


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Name of a model that open_clip has a configuration of; compiled within seconds."""
    folder = tmp_path_factory.mktemp("configurations")
    (folder / "Handful-tiny.json").write_text(json.dumps(CONFIG))
    open_clip.add_model_config(folder)
    return "Handful-tiny"


def run(main: Callable[[], None], command: str, patch: pytest.MonkeyPatch) -> None:
    patch.setattr("sys.argv", ["benchmark", *command.split()])
    main()


def test_the_command_measures_encoder_and_cache(
    tmp_path: Path, tiny: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = f"--model {tiny} --device cpu --batches 1 2 --product 128"
    command += f" --keys 500 --processes --seconds 0.05 --out {tmp_path}"
    run(gpu.main, command, monkeypatch)
    told = json.loads((tmp_path / "gpu.json").read_text())
    assert [row["batch"] for row in told["rows"]] == [2, 1, 2]
    # The first block is computed once for both embeddings, and the adapters of the others work on
    # one of them.
    block = TOKENS * (24 * WIDTH**2 + 4 * TOKENS * WIDTH)
    bottleneck = TOKENS * 4 * WIDTH * ADAPTER
    ends = (TOKENS - 1) * 2 * PIXELS * WIDTH + 2 * 2 * WIDTH * EMBEDDING
    expected = ((2 * BLOCKS - 1) * block + BLOCKS * bottleneck + ends) / 1e9
    assert told["GFLOP an image, both embeddings"] == pytest.approx(expected, rel=0.002)
    for row in told["rows"]:
        rate = row["images/s"] * told["GFLOP an image, both embeddings"] / 1e3
        assert abs(row["TFLOP/s"] / rate - 1) < 1e-6
    assert told["caches"][0]["keys"] == 500
    assert (tmp_path / "gpu.png").stat().st_size > 0


def test_the_command_measures_passes_and_their_kernels(
    tmp_path: Path, tiny: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What compiling does is tested where it is done; here it would take half a minute.
    monkeypatch.setattr(gpu_kernels, "compiled", lambda run, _pixels: run)
    command = f"--model {tiny} --device cpu --batch 2 --product 128 --seconds 0.05 --out {tmp_path}"
    run(gpu_kernels.main, command, monkeypatch)
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
