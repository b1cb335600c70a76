"""Cut a folder of classes in two, so that an adapter is judged on classes it never saw.

    .venv/bin/python benchmarks/held_out_classes.py FOLDER OUT [--share 0.4] [--seed 0]

FOLDER holds CLASS/IMAGE files. OUT/learning and OUT/held-out get links to its classes; then

    handful train imo --backbone lite --data OUT/learning --objective ... --out RUN
    .venv/bin/python benchmarks/generic_tasks.py OUT/held-out --adapter RUN/adapter.safetensors
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path


def main() -> None:
    """Make the links."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--share", type=float, default=0.4, help="Of the classes, to hold out.")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    classes = sorted(entry for entry in arguments.folder.resolve().iterdir() if entry.is_dir())
    random.Random(arguments.seed).shuffle(classes)
    n_held_out = round(arguments.share * len(classes))
    for name, part in (("held-out", classes[:n_held_out]), ("learning", classes[n_held_out:])):
        (arguments.out / name).mkdir(parents=True)
        for folder in part:
            (arguments.out / name / folder.name).symlink_to(folder)
        print(f"{len(part)} classes in {arguments.out / name}")


if __name__ == "__main__":
    main()
