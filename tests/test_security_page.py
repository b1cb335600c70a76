"""The tests that docs/security.md rests on are there; its tables do not contradict each other."""

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


def numbers(table: str) -> set[str]:
    """Chapters, sections and requirements that the first cells of a table begin with."""
    found = set()
    for cell in re.findall(r"^\| (\d[^|]*)", table, re.M):
        for first, last in re.findall(r"(?:^|, )(\d[\d.]*)(?: to [\d.]+\.(\d+))?(?=,? )", cell):
            section, _, number = first.rpartition(".")
            found |= (
                {f"{section}.{n}" for n in range(int(number), int(last) + 1)} if last else {first}
            )
    return found


def test_nothing_is_met_and_does_not_apply() -> None:
    applies, _, does_not = PAGE.read_text().partition("\nNot applicable:\n")
    some, none = numbers(applies.partition("\n## OWASP ASVS\n")[2]), numbers(does_not)
    assert {"1.1.1", "7.2.2", "16.5.3"} <= some  # single ones, of a range, the last
    assert {"1.2.7", "4.3", "17"} <= none
    for number in some:
        parts = number.split(".")
        assert none.isdisjoint(".".join(parts[:end]) for end in range(1, 4)), number
