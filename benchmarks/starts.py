"""Start and memory of a version beside an earlier one, of `lite` and of ViT-B/32, in one run.

    git worktree add /tmp/before 25b5f39
    python -m benchmarks.starts --before /tmp/before [--rounds 3]

Each version starts the service with an empty folder of compiled models, and again with what the
first start left there, by turns. Of each start: seconds from the start of the process to ready, and
resident memory (RSS) then, after a first classifier was made, which embeds class names, and 160
images were registered, and, of later starts, when no text has come for a while. ViT-B/32 has random
weights (benchmarks/random_vit.py).
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from statistics import median

from adapters.kept.text_tower import REST
from benchmarks.published import Row, publish
from benchmarks.random_vit import MODEL, write_random_vit
from benchmarks.servers import handful, register

Measured = dict[str, float]


def one_start(source: Path | None, backbone: str, cache: Path, *, rest: float) -> Measured:
    """Start a service, and look at it; at last after a rest of some seconds."""
    with handful(source, backbone=backbone, cache_dir=cache) as service:
        found = {"ready s": service.ready, "ready MiB": service.memory()["rss"]}
        register(service)
        memory = service.memory()
        found |= {"registered MiB": memory["rss"], "peak MiB": memory["peak rss"]}
        time.sleep(rest)
        return found | {"rested MiB": service.memory()["rss"]}


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--before", type=Path, help="checkout of an earlier version")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--backbones", nargs="+", default=["lite", MODEL])
    arguments = parser.parse_args()
    versions = {"this": None} | ({"before": arguments.before} if arguments.before else {})
    every: defaultdict[tuple[str, str, str], list[Measured]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="handful-vit-") as folder:
        names = {each: each for each in arguments.backbones}
        if MODEL in names:
            names[MODEL] = write_random_vit(Path(folder))
        for _ in range(arguments.rounds):
            for backbone, name in names.items():
                for version, source in versions.items():
                    with tempfile.TemporaryDirectory(prefix="handful-cache-") as cache:
                        for start, rest in (("first", 0.0), ("later", REST + 5)):
                            found = one_start(source, name, Path(cache), rest=rest)
                            every[backbone, start, version].append(found)
    rows: list[Row] = [
        {
            "backbone": backbone,
            "start": start,
            "version": version,
            **{step: median(one[step] for one in found) for step in found[0]},
            "fastest s": min(one["ready s"] for one in found),
            "slowest s": max(one["ready s"] for one in found),
        }
        for (backbone, start, version), found in every.items()
    ]
    publish("starts", "Start and memory", rows, about={"rounds": arguments.rounds})


if __name__ == "__main__":
    main()
