"""How a benchmark tells what it measured: a table, a JSON file, a plot."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

OUT = Path("benchmark-results")
_PACKAGES = ("torch", "openvino", "open_clip_torch", "faiss-cpu", "pillow", "numpy")

Row = Mapping[str, float | int | str]


def publish(
    name: str,
    title: str,
    rows: Sequence[Row],
    out: Path = OUT,
    *,
    plot: Callable[[Axes], None] | None = None,
    about: Mapping[str, Any] | None = None,
) -> None:
    """Print rows as a table; write ``NAME.json`` and, with a plot, ``NAME.png``.

    Args:
        name: Of the question, for the files.
        title: Of the table and the plot.
        rows: One mapping a row, all with the same keys, which are the columns. Floats are shown
            with three significant digits and written whole.
        out: Folder for the files.
        plot: Draws on the axes it is given.
        about: What else the file should say: settings, counts.
    """
    table = Table(*rows[0], title=title)
    for row in rows:
        table.add_row(*map(_shown, row.values()))
    console = Console(width=max(120, Console().width))
    console.print(table)
    out.mkdir(parents=True, exist_ok=True)
    written = {
        "title": title,
        "command": " ".join(["python", *sys.argv]),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        **(about or {}),
        "rows": [dict(row) for row in rows],
    }
    (out / f"{name}.json").write_text(json.dumps(written, indent=1) + "\n")
    if plot is not None:
        figure = Figure(figsize=(8, 5), dpi=120, layout="constrained")
        axes = figure.subplots()
        plot(axes)
        axes.set_title(title)
        axes.grid(alpha=0.3)
        figure.savefig(out / f"{name}.png")
    console.print(f"files: {out / name}.json" + (" and .png" if plot else ""))


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "load": round(os.getloadavg()[0], 1),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "python": platform.python_version(),
        "packages": {name: version(name) for name in _PACKAGES},
    }


def _processor() -> str:
    """The processor's model and what it computes vectors with."""
    text = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    named = {key.strip(): value.strip() for key, value in fields.items()}
    flags = named.get("flags", "").split()
    known = [f for f in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if f in flags]
    return f"{named.get('model name', platform.machine())} ({', '.join(known)})"


def _shown(value: float | int | str) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
