"""The page's commands: read from the page, known to the command line, and run on a tiny cut."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.published_sets.sets import SETS
from benchmarks.reproduce_dry_run.__main__ import chosen, environment
from benchmarks.reproduce_dry_run.page import PAGE, commands
from benchmarks.reproduce_dry_run.prepare import prepare
from benchmarks.reproduce_dry_run.running import run
from service.cli import app

TEXT = PAGE.read_text(encoding="utf-8")


def test_commands_are_read_as_they_stand() -> None:
    page = "# A\n```sh\nfor a in b; do\n    c\ndone\nd \\\n    e\n```\n    f\n"
    page += "## B\n```python\ng\n```\n```sh\nh\n```\n"
    assert [(found.heading, found.text) for found in commands(page)] == [
        ("A", "for a in b; do\n    c\ndone"),
        ("A", "d \\\n    e"),
        ("B", "h"),
    ]


def test_the_page_names_every_data_set_as_the_converter_does() -> None:
    exported = next(found.text for found in commands(TEXT) if "SETS=" in found.text)
    assert re.findall(r"SETS:-([\w ]+)", exported) == [" ".join(SETS)]
    headings = {found.heading for found in commands(TEXT)}
    assert {of.title for of in SETS.values()} <= headings
    for of in SETS.values():
        counts = " | ".join(f"{n:,}".replace(",", " ") if n > 9999 else str(n) for n in of.counts)
        if of.folder == "imagenet":
            counts = counts.replace("50 000", "test", 1)
        assert f"| {of.title} | {of.classes} | {counts} |" in TEXT
    only = chosen(TEXT, ["eurosat"])
    assert {of.title for of in SETS.values()} & {found.heading for found in only} == {"EuroSAT"}


def test_bash_and_the_command_line_know_every_command() -> None:
    text = "\n".join(found.text for found in commands(TEXT))
    assert subprocess.run(["bash", "-n", "-c", text], check=False).returncode == 0
    called = re.findall(r"handful (?:evaluate|train imo) .*(?:\\\n.*)*", text)
    assert len(called) == 4
    for given in called:
        words = given.split()
        command = words[1:2] if words[1] == "evaluate" else words[1:3]
        known = CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "200"}).output
        assert not {word for word in words if word.startswith("--")} - set(known.split())


@pytest.mark.long
def test_every_command_runs_on_a_tiny_cut(tmp_path: Path) -> None:
    sets = ["imagenet", "eurosat"]
    prepare(tmp_path, sets, tiny=True)
    asked = chosen(TEXT, sets)
    done = list(run(asked, tmp_path, environment(tmp_path, sets)))
    assert [ran.command for ran in done if ran.status] == [], done[-1].output
    assert [ran.command for ran in done] == asked
    assert done[-1].output.count("| ImageNet | EuroSAT | mean of 2 |") == 2
    for adapter in ("supervised", "dino"):
        written = tmp_path / "runs" / "results" / adapter / "imagenet" / "results.json"
        document = json.loads(written.read_text())
        assert document["protocol"]["name"] == "paper"
        # Two classes of one name stay two.
        assert list(document["protocol"]["names"].values()) == ["tench", "missile", "missile"]
