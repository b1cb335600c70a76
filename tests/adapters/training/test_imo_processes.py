"""Training in several processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import torch

from tests.adapters.training.two_trainings import run
from tests.coloured import write_coloured


def test_two_processes_are_one_with_a_batch_of_twice_the_size(
    tiny_vit: Path, tmp_path: Path
) -> None:
    images = write_coloured(tmp_path / "images", 16)
    two, one = tmp_path / "two", tmp_path / "one"
    two.mkdir()
    one.mkdir()
    environment = {**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    module = ["--nproc-per-node", "2", "-m", "tests.adapters.training.two_trainings"]
    subprocess.run(
        [*torchrun, *module, str(tiny_vit), str(images), str(two), "4"],
        check=True,
        cwd=Path(__file__).parents[3],
        env=environment,
        timeout=240,
    )
    run(str(tiny_vit), images, one, 8)
    first, second = (torch.load(two / f"{rank}.pt") for rank in (0, 1))
    alone = torch.load(one / "0.pt")
    torch.testing.assert_close(first["losses"], alone["losses"], rtol=1e-3, atol=1e-3)
    for objective in ("dino", "supervised"):
        for name, value in first[objective].items():
            assert torch.equal(second[objective][name], value), name
            torch.testing.assert_close(value, alone[objective][name], rtol=1e-2, atol=5e-3)
