"""The folder of a run: its checkpoint while it goes on, its record and its losses afterwards."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

CHECKPOINT_NAME = "checkpoint.pt"
RECORD_NAME = "training.json"


def state_of(folder: Path) -> Literal["running", "finished"] | None:
    """Whether the folder holds a run that is not finished, or a finished one, or none."""
    if (folder / CHECKPOINT_NAME).is_file():
        return "running"
    return "finished" if (folder / RECORD_NAME).is_file() else None


def write_record(folder: Path, record: Mapping[str, Any]) -> None:
    """Write ``training.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RECORD_NAME).write_text(json.dumps(record, indent=2) + "\n", "utf-8")


def write_losses(folder: Path, losses: Sequence[float]) -> None:
    """Write the loss of each step, ``losses.csv``, and its curve, ``losses.png``."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "losses.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["step", "loss"])
        table.writerows(enumerate(losses, start=1))
    _plot(folder / "losses.png", losses)


def _plot(path: Path, losses: Sequence[float]) -> None:
    import numpy as np
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    steps = np.arange(1, len(losses) + 1)
    axes.plot(steps, losses, color="#9bb8d3", linewidth=1, label="each step")
    window = max(1, len(losses) // 20)
    smooth = np.convolve(losses, np.ones(window) / window, mode="valid")
    axes.plot(steps[window - 1 :], smooth, color="#1f4e79", label=f"mean of {window}")
    axes.set(xlabel="step", ylabel="loss", xlim=(1, max(len(losses), 2)))
    axes.legend(frameon=False)
    figure.savefig(path, dpi=150)
