"""The log of a campaign: what each of its parts has shown, which need not be run again then."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any


class FoundLog:
    """Lines of ``found.jsonl``, by the name of their part.

    Args:
        folder: Of the log; None: a new one.
        campaign: Its name, for a new one.
        name: The member that names the part.

    Attributes:
        folder: For what is kept beside the lines; it is there.
        lines: All, in their order.
    """

    def __init__(self, folder: str | None, campaign: str, name: str) -> None:
        self.folder = Path(folder or tempfile.mkdtemp(prefix=f"{campaign}-"))
        self.folder.mkdir(parents=True, exist_ok=True)
        self._name = name
        self._file = self.folder / "found.jsonl"
        written = self._file.read_text().splitlines() if self._file.exists() else []
        self.lines: dict[str, dict[str, Any]] = {
            line[name]: line for line in map(json.loads, written)
        }

    def add(self, line: dict[str, Any]) -> None:
        """Write down what a part has shown."""
        self.lines[line[self._name]] = line
        with self._file.open("a") as file:
            file.write(json.dumps(line) + "\n")
