"""Exceptions from the rules of Bandit: of one line each, with the reason."""

from __future__ import annotations

import re
import subprocess
import tomllib

from supply_chain.lock import ROOT

_EXCEPTION = re.compile(r"# noqa: (?P<rules>[A-Z0-9, ]*\bS\d+[A-Z0-9, ]*)(?P<reason>.*)")
# Programs of tests and measurements, what people run, not what serves.
_OTHERS = ("tests/", "benchmarks/")


def test_each_exception_says_why() -> None:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    counted = 0
    for name in listed.stdout.splitlines():
        file = ROOT / name
        if name.startswith(_OTHERS) or not file.is_file():
            continue
        for number, line in enumerate(file.read_text().splitlines(), start=1):
            assert "nosec" not in line, f"{name}:{number}: ruff's noqa names its rule"
            if found := _EXCEPTION.search(line):
                assert re.search(r"[a-z]{3}", found["reason"]), f"{name}:{number}: why?"
                counted += 1
    assert counted > 20


def test_the_rules_are_on_wherever_something_serves() -> None:
    lint = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    assert "S" in lint["select"]
    assert not [rule for rule in lint["ignore"] if re.fullmatch(r"S\d*", rule)]
    without = {
        files
        for files, rules in lint["per-file-ignores"].items()
        if [rule for rule in rules if re.fullmatch(r"S\d*", rule)]
    }
    # The test of the chart asks an address of its values, by what Python has.
    chart = "deploy/helm/handful/files/**"
    assert without == {"tests/**", "tests/handful/sklearn/**", "benchmarks/**", chart}
