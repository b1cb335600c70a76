"""``python -m benchmarks.published_sets NAME ROOT OUT``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.published_sets.links import write_links
from benchmarks.published_sets.sets import SETS
from benchmarks.published_sets.split import SPLITS, LayoutError


def main() -> int:
    """Link a data set, and say how much of it there is."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.published_sets")
    parser.add_argument("name", choices=SETS, metavar="NAME", help=", ".join(SETS))
    parser.add_argument("root", type=Path, metavar="ROOT", help="holds the data sets")
    parser.add_argument("out", type=Path, metavar="OUT", help="is made")
    arguments = parser.parse_args()
    asked = SETS[arguments.name]
    try:
        split = asked.read(arguments.root)
        named = write_links(split, asked.templates, arguments.out)
    except LayoutError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    counts = ", ".join(f"{len(split[part])} {part}" for part in SPLITS)
    of = "folders" if arguments.name == "imagenet" else "images"
    print(f"{arguments.out}: {len(named)} classes, {of}: {counts}")
    if arguments.name != "imagenet" and tuple(len(split[p]) for p in SPLITS) != asked.counts:
        print(f"the published split has {asked.classes} classes, {asked.counts} images")
    if arguments.name == "imagenet":
        print("val is test, as published: settings are searched on the test images")
    return 0


if __name__ == "__main__":
    sys.exit(main())
