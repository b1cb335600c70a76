"""Training in several processes."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest
import torch

from tests.adapters.training.two_trainings import run, run_as_rank
from tests.coloured import write_coloured
from tests.ranks import environments


@pytest.mark.long
def test_two_processes_are_one_with_a_batch_of_twice_the_size(
    tiny_vit: Path, tmp_path: Path
) -> None:
    images = write_coloured(tmp_path / "images", 16)
    two, one = tmp_path / "two", tmp_path / "one"
    # Forked from one that has imported PyTorch, where other tests have such a one.
    context = multiprocessing.get_context("forkserver")
    processes = [
        context.Process(target=run_as_rank, args=(rank, str(tiny_vit), images, two, 4))
        for rank in environments(2)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(240)
    assert [process.exitcode for process in processes] == [0, 0]
    run(str(tiny_vit), images, one, 8)
    first, second = (torch.load(two / f"{rank}.pt") for rank in (0, 1))
    alone = torch.load(one / "0.pt")
    torch.testing.assert_close(first["losses"], alone["losses"], rtol=1e-3, atol=1e-3)
    for objective in ("dino", "supervised"):
        for name, value in first[objective].items():
            assert torch.equal(second[objective][name], value), name
            torch.testing.assert_close(value, alone[objective][name], rtol=1e-2, atol=5e-3)
