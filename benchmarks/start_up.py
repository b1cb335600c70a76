"""How long a start takes, the first time and later.

    python -m benchmarks.start_up [--rounds 2]

Each round starts the service with an empty folder of compiled models, then again with what the
first start left there, then the naive server (benchmarks/baseline, which also embeds its 160
support images with both models). A start is broken down into importing (measured by itself, in a
process that does nothing else), listening, ready, and the first answer to an image. Python and the
packages are in the page cache already.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from statistics import median

import httpx2 as httpx
from matplotlib.axes import Axes

from benchmarks.load import Service
from benchmarks.load.process import ROOT
from benchmarks.photographs import queries
from benchmarks.published import Row, publish
from benchmarks.servers import PREDICT, baseline, handful, register

Steps = dict[str, float]


def importing(module: str) -> float:
    """Seconds from the start of a Python to a module being imported."""
    begin = time.perf_counter()
    # Without the tidying up at the end.
    program = f"import os, {module}; os._exit(0)"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)
    return time.perf_counter() - begin


def first_answer(service: Service, path: str, query: bytes, *, form: bool) -> float:
    """Seconds of the first query."""
    with httpx.Client(base_url=service.url, timeout=120) as client:
        begin = time.perf_counter()
        if form:
            answer = client.post(path, files={"file": query})
        else:
            answer = client.post(path, content=query, headers={"content-type": "image/jpeg"})
        answer.raise_for_status()
        return time.perf_counter() - begin


def steps(service: Service, imported: float, answer: float) -> Steps:
    """What is measured of each start."""
    return {
        "import s": imported,
        "listening s": service.listening,
        "ready s": service.ready,
        "first answer after that, s": answer,
    }


def one_round(query: bytes) -> dict[str, Steps]:
    """All three starts."""
    found = {}
    with tempfile.TemporaryDirectory(prefix="handful-cache-") as cache:
        for name in ("Handful, first start", "Handful, later start"):
            imported = importing("service.api.app")
            with handful(cache_dir=cache) as service:
                register(service)
                answer = first_answer(service, PREDICT, query, form=False)
                found[name] = steps(service, imported, answer)
    imported = importing("fastapi, torch, open_clip")
    with baseline() as service:
        answer = first_answer(service, "/predict", query, form=True)
        found["naive server"] = steps(service, imported, answer)
    return found


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=2)
    arguments = parser.parse_args()
    query = queries(1)[0]
    importing("service.api.app")  # into the page cache
    every: defaultdict[str, list[Steps]] = defaultdict(list)
    for _ in range(arguments.rounds):
        for name, found in one_round(query).items():
            every[name].append(found)
    rows: list[Row] = [
        {"start": name, **{step: median(one[step] for one in found) for step in found[0]}}
        for name, found in every.items()
    ]

    def plot(axes: Axes) -> None:
        names = [str(row["start"]) for row in rows]
        for step in ("ready s", "listening s", "import s"):  # each contains the next, nearly
            axes.barh(names, [float(row[step]) for row in rows], label=step.removesuffix(" s"))
        axes.invert_yaxis()
        axes.set_xlabel("seconds from the start of the process")
        axes.legend()

    about = {
        "rounds": arguments.rounds,
        "fastest and slowest, ready s": {
            name: [min(s["ready s"] for s in found), max(s["ready s"] for s in found)]
            for name, found in every.items()
        },
    }
    publish("start_up", "Start to ready", rows, plot=plot, about=about)


if __name__ == "__main__":
    main()
