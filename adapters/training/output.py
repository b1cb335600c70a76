"""What a run leaves beside what it learned: its record, its losses and their curve."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from adapters.training.loop import Progress

RECORD_NAME = "training.json"
_PACKAGES = ("torch", "open_clip_torch", "timm", "accelerate")


def record(progress: Progress, **fields: Any) -> dict[str, Any]:
    """Return the record of a run, as JSON can hold it.

    Args:
        progress: Of the run, at its end.
        fields: What else tells how it was made: objective, settings, data, backbone.
    """
    return {
        **fields,
        "steps": progress.step,
        "seconds": round(progress.seconds, 1),
        "loss": {"first": progress.losses[0], "last": progress.losses[-1]},
        "packages": {name: version(name) for name in _PACKAGES},
    }


def write_run(folder: Path, progress: Progress, made: Mapping[str, Any]) -> None:
    """Write ``training.json``, ``losses.csv`` and ``losses.png`` into the folder of a run."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RECORD_NAME).write_text(json.dumps(made, indent=2) + "\n", "utf-8")
    with (folder / "losses.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["step", "loss"])
        table.writerows(enumerate(progress.losses, start=1))
    _plot(folder / "losses.png", progress.losses)


def _plot(path: Path, losses: Sequence[float]) -> None:
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
