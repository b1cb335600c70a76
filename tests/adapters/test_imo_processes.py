"""Training in several processes."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import torch

from tests.coloured import write_coloured

PROCESSES = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    import torch
    from adapters.imo.tower import load_tower
    from tests.coloured import coloured_images
    from adapters.training.loop import LoopSettings, train
    from tests.adapters.test_imo_training import dino, RECIPES, attach, BottleneckConfig
    from tests.reading import READ

    vit, images, out, batch = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
    data = coloured_images(images)
    settings = LoopSettings(epochs=1, batch=batch, learning_rate=2e-3)
    tower = load_tower(f"local-dir:{vit}")
    objective, pictures = dino(tower, data, momentum=0.9, small=1, first_epoch=0.5)
    progress = train(objective, pictures, settings, out / "dino", device="cpu")
    objective.student.detach(), objective.teacher.detach()
    torch.manual_seed(0)
    adapter = attach(tower.visual, BottleneckConfig(width=8, scale=0.5))
    built = RECIPES["supervised"].build(tower, adapter, data, READ, settings)
    other = train(built.objective, built.examples, settings, out / "supervised", device="cpu")
    rank = torch.distributed.get_rank() if torch.distributed.is_initialized() else 0
    torch.save({"dino": objective.learned_state(), "supervised": built.objective.learned_state(),
                "losses": torch.tensor([progress.losses, other.losses])}, out / f"{rank}.pt")
    """
)


def test_two_processes_are_one_with_a_batch_of_twice_the_size(
    tiny_vit: Path, tmp_path: Path
) -> None:
    script = tmp_path / "script.py"
    script.write_text(PROCESSES)
    images = write_coloured(tmp_path / "images", 16)
    environment = {
        **os.environ,
        "ACCELERATE_USE_CPU": "true",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    for command, batch in (([*torchrun, "--nproc-per-node", "2"], "4"), ([sys.executable], "8")):
        folder = tmp_path / batch
        folder.mkdir()
        subprocess.run(
            [*command, str(script), str(tiny_vit), str(images), str(folder), batch],
            check=True,
            env=environment,
            timeout=240,
        )
    first, second = (torch.load(tmp_path / "4" / f"{rank}.pt") for rank in (0, 1))
    alone = torch.load(tmp_path / "8" / "0.pt")
    torch.testing.assert_close(first["losses"], alone["losses"], rtol=1e-3, atol=1e-3)
    for objective in ("dino", "supervised"):
        for name, value in first[objective].items():
            assert torch.equal(second[objective][name], value), name
            torch.testing.assert_close(value, alone[objective][name], rtol=1e-2, atol=5e-3)
