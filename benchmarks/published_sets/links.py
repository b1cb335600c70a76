"""Folders of links: a split as `handful evaluate` reads it. No image is copied."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.published_sets.split import Item, LayoutError, Split


def write_links(split: Split, templates: Sequence[str], out: Path) -> dict[str, str]:
    """Write ``SPLIT/CLASS/`` with a link for each image, and ``classes.json``.

    The folder of a class is its number and its name, so that classes come in the order of the
    paper's and two of one name stay two.

    Args:
        split: What is linked.
        templates: For ``classes.json``.
        out: Made by this, whole or not at all.

    Returns:
        Class name by folder.

    Raises:
        LayoutError: ``out`` is there already, or one class has two names.
    """
    if out.exists() or out.is_symlink():
        raise LayoutError(f"{out} is there already; name another folder, or remove it first")
    names: dict[int, str] = {}
    for items in split.values():
        for item in items:
            if names.setdefault(item.label, item.name) != item.name:
                raise LayoutError(
                    f"class {item.label} is named {names[item.label]!r} and {item.name!r}"
                )
    width = len(str(max(names, default=0)))
    folders = {label: folder_name(label, name, width) for label, name in names.items()}
    out.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        for part, items in split.items():
            _link(made / part, items, folders)
        named = {folders[label]: names[label] for label in sorted(names)}
        document = {"names": named, "templates": list(templates)}
        text = json.dumps(document, indent=1, ensure_ascii=False)
        (made / "classes.json").write_text(text + "\n", encoding="utf-8")
        made.chmod(0o755)
        made.rename(out)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise
    return named


def folder_name(label: int, name: str, width: int) -> str:
    """Folder of a class: ``017 crab``; signs that a folder may not have become hyphens."""
    plain = re.sub(r"[^\w '().,&+-]", "-", name).strip(" .")[:60]
    return f"{label:0{width}d} {plain}".strip()


def _link(folder: Path, items: Sequence[Item], folders: dict[int, str]) -> None:
    for number, item in enumerate(items):
        place = folder / folders[item.label]
        target = item.path.resolve()
        if target.is_dir():  # all images of a class
            folder.mkdir(parents=True, exist_ok=True)
            place.symlink_to(target, target_is_directory=True)
        else:
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{number:06d} {item.path.name}").symlink_to(target)
