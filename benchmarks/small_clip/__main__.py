"""Train small CLIPs from scratch, then adapt them: overlap, IsoCLIP, m²-Mix and COMMA, end to end.

    .venv/bin/python -m benchmarks.small_clip FOLDER [--seeds 3] [--json FILE] [--models FOLDER]

FOLDER holds CLASS/IMAGE files of many classes, such as Caltech-101. Half of the images of each
class train the CLIP, with the names of their classes as texts, a fifth of which are exchanged, as
captions on the web are sometimes wrong, too; all figures are of the other half. Run again with the
same FILE it goes on with the seeds that are lacking. To choose settings take another seed
(``--first 100 --seeds 1``), not one of a table.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from adapters.whole_files import written_whole
from benchmarks.small_clip.intervals import tables
from benchmarks.small_clip.seeds import Measured


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=3, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--json", type=Path, help="where the figures of each seed are kept")
    parser.add_argument("--models", type=Path, help="folder in which the small CLIPs are kept")
    arguments = parser.parse_args()
    seeds = range(arguments.first, arguments.first + arguments.seeds)
    file = arguments.json
    found = json.loads(file.read_text("utf-8")) if file is not None and file.exists() else {}
    if lacking := [seed for seed in seeds if str(seed) not in found]:
        measured = Measured(arguments.folder, arguments.models)
        for seed in lacking:
            found[str(seed)] = measured.of(seed)
            if file is not None:
                with written_whole(file) as part:
                    part.write_text(json.dumps(found, indent=1), "utf-8")
    print(tables([found[str(seed)] for seed in seeds]))


if __name__ == "__main__":
    main()
