"""Programs in the place of those that reach the internet: what they fetch lies in a folder."""

from __future__ import annotations

import sys
from pathlib import Path

_FETCH = """#!{python}
import pathlib, shutil, sys
source, given = None, sys.argv[1:]
folder, out = pathlib.Path("."), None
while given:
    word = given.pop(0)
    if word == "-P":
        folder = pathlib.Path(given.pop(0))
    elif word == "-O":
        out = pathlib.Path(given.pop(0))
    elif not word.startswith("-"):
        source = word
name = out.name if {by_name} else source.rsplit("/", 1)[-1]
out = out or folder / name
if not out.exists():
    out.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(pathlib.Path({web!r}) / name, out)
"""


def write_stand_ins(folder: Path, web: Path) -> None:
    """Write ``wget``, ``gdown`` and ``pip``; ``python`` and ``handful`` are those of this process.

    Args:
        folder: To come first in the PATH.
        web: Files by the last part of their address; ``gdown``'s by the name they are kept under.
    """
    for name, by_name in (("wget", False), ("gdown", True)):
        text = _FETCH.format(python=sys.executable, by_name=by_name, web=str(web))
        _write(folder / name, text)
    _write(folder / "pip", '#!/bin/sh\necho "not installed in a dry run: $*"\n')
    _write(folder / "python", f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    _write(folder / "handful", f'#!/bin/sh\nexec {sys.executable} -m service.cli "$@"\n')


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
