"""The images that the adapter's authors train on, as `handful train` and the downloader read them.

    python -m benchmarks.published_sets.open_images oi_data.csv OUT

``oi_data.csv`` is a file of github.com/akres001/CLIP_fewshot_imo with the columns ``ImageID``,
``DisplayName`` and ``type``. OUT gets ``images.csv`` (``path,label``) and ``ids.txt`` for Open
Images' ``downloader.py``, which wants the split of each image: what ``type`` names, else train.
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
from pathlib import Path

OPEN_IMAGES_SPLITS = ("train", "validation", "test")


def convert(source: Path, out: Path) -> tuple[int, int]:
    """Write both files.

    Returns:
        Numbers of examples and of classes.

    Raises:
        ValueError: The file is not as it should be.
    """
    examples: list[tuple[str, str]] = []
    ids: dict[str, None] = {}
    with source.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            image, label = row.get("ImageID") or "", row.get("DisplayName") or ""
            if not re.fullmatch(r"[0-9a-f]{16}", image) or not label:
                raise ValueError(
                    f"{source} has no ImageID of 16 hex digits and DisplayName in {row}; "
                    "get it anew"
                )
            kind = row.get("type") or ""
            ids[f"{kind if kind in OPEN_IMAGES_SPLITS else 'train'}/{image}"] = None
            examples.append((f"{image}.jpg", label))
    if not examples:
        raise ValueError(f"{source} has no rows; get it anew")
    out.mkdir(parents=True, exist_ok=True)
    with (out / "images.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("path", "label"), *examples])
    (out / "ids.txt").write_text("\n".join(ids) + "\n", encoding="utf-8")
    return len(examples), len({label for _, label in examples})


def main() -> int:
    """Convert, and say how many there are."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.published_sets.open_images")
    parser.add_argument("source", type=Path, metavar="oi_data.csv")
    parser.add_argument("out", type=Path, metavar="OUT")
    arguments = parser.parse_args()
    try:
        n, classes = convert(arguments.source, arguments.out)
    except (OSError, ValueError, UnicodeDecodeError, csv.Error) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{arguments.out}: {n} examples of {classes} classes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
