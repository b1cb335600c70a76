"""All that the page's commands fetch or find, made in a folder.

python -m benchmarks.reproduce_dry_run.prepare FOLDER SET... [--tiny]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmarks.reproduce_dry_run.layouts import Layouts
from benchmarks.reproduce_dry_run.stand_ins import write_stand_ins
from benchmarks.reproduce_dry_run.weights import write_openai_archive


def prepare(folder: Path, sets: Sequence[str], *, tiny: bool) -> None:
    """Write ``bin`` (stand-ins), ``web`` (what is fetched) and ``data`` (what is brought).

    Args:
        folder: Where commands will run.
        sets: Names of data sets.
        tiny: A tiny ViT in place of ViT-B/16.
    """
    web, brought = folder / "web", folder / "data"
    for made in (web, brought):
        made.mkdir(parents=True)
    write_stand_ins(folder / "bin", web)
    write_openai_archive(web / "ViT-B-16.pt", tiny=tiny)
    layouts = Layouts(web, brought, folder / "scratch")
    layouts.write_open_images()
    for name in sets:
        layouts.write(name)


def main() -> None:
    """Prepare a folder."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reproduce_dry_run.prepare")
    parser.add_argument("folder", type=Path)
    parser.add_argument("sets", nargs="+")
    parser.add_argument("--tiny", action="store_true")
    arguments = parser.parse_args()
    prepare(arguments.folder, arguments.sets, tiny=arguments.tiny)


if __name__ == "__main__":
    main()
