"""The tests that docs/security.md rests on are there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs" / "security.md"


def functions_of(name: str) -> set[str]:
    """Tests of the files of a name, or at a path."""
    paths = [TESTS.parent / name] if "/" in name else list(TESTS.rglob(name))
    assert paths, name
    nodes = [node for path in paths for node in ast.walk(ast.parse(path.read_text()))]
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in nodes if isinstance(node, kinds)}


def test_every_test_that_the_page_names_exists() -> None:
    named = 0
    for cell in re.findall(r"[^|\n]+", PAGE.read_text()):
        there: set[str] = set()
        for name in re.findall(r"`([\w/]*test_\w+(?:\.py)?)`", cell):
            if name.endswith(".py"):
                there = functions_of(name)
            else:
                assert name in there, f"{name} is in no file that is named before it"
            named += 1
    assert named > 80
