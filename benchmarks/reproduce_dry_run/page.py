"""The commands of a page: what its ``sh`` blocks say, one after the other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "reproduce.md"


@dataclass(frozen=True, slots=True)
class Command:
    """A command of the page.

    Attributes:
        heading: Of the section that it stands in.
        text: As it is written, perhaps over several lines.
    """

    heading: str
    text: str


def commands(page: str) -> Iterator[Command]:
    """Read the commands of a page.

    A line that is indented, or that ends a loop, belongs to the command before it.
    """
    heading = ""
    lines: list[str] | None = None
    for line in page.splitlines():
        if lines is None:
            if found := re.match(r"#+ (.*)", line):
                heading = found[1]
            if line == "```sh":
                lines = []
        elif line == "```":
            for text in _joined(lines):
                yield Command(heading, text)
            lines = None
        else:
            lines.append(line)


def _joined(lines: list[str]) -> list[str]:
    found: list[str] = []
    for line in lines:
        if found and (line.startswith((" ", "\t")) or line == "done"):
            found[-1] += f"\n{line}"
        elif line.strip():
            found.append(line)
    return found
