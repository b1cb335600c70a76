"""Commands that are run to their end: help, mistakes, the demo."""

from __future__ import annotations

import re
import shutil
import subprocess

from tests.campaigns.golden.code import Code
from tests.campaigns.golden.recording import Json, Placeholders, Recording, without_seconds

_LOG = re.compile(r"^INFO:.*\n", re.MULTILINE)
_HELP: tuple[tuple[str, ...], ...] = (
    (),
    ("serve",),
    ("evaluate",),
    ("diagnose",),
    ("demo",),
    ("re-embed",),
    ("train",),
    ("train", "imo"),
    ("train", "mixup"),
    ("train", "comma"),
    ("train", "lite"),
)
_MISTAKES: tuple[tuple[str, ...], ...] = (
    ("nothing",),
    ("serve", "--port", "x"),
    ("serve", "--processes", "0"),
    ("serve", "--port", "0", "--backbone", "local-dir:none"),
    ("evaluate", "none"),
    ("evaluate", "none", "--shots", "x"),
    ("evaluate", "none", "--template", "x"),
    ("evaluate", "none", "--coverage", "2"),
    ("diagnose", "none"),
    ("re-embed", "--data-dir", "none", "--backbone", "local-dir:none"),
    ("train", "imo", "--data", "none", "--out", "run", "--objective", "none"),
    ("train", "mixup", "--data", "none.csv", "--out", "run"),
    ("train", "comma", "--backbone", "lite", "--data", "none", "--out", "run"),
)


def ended(process: subprocess.CompletedProcess[str], clean: Placeholders) -> Json:
    """How a command ended and what it said, without seconds and lines of the log."""
    said = {"stdout": process.stdout, "stderr": process.stderr}
    return {"exit status": process.returncode} | {
        name: without_seconds(_LOG.sub("", clean(text))) for name, text in said.items()
    }


def commands(code: Code, recording: Recording) -> None:
    """Record the part ``cli``."""
    clean = Placeholders()
    clean.literally(recording.work, "<work>")
    clean.literally(code.folder, "<code>")
    for name, lines in (
        ("help", [(*line, "--help") for line in _HELP]),
        ("mistakes", list(_MISTAKES)),
    ):
        for folder in ("none", "run", "handful-data"):
            shutil.rmtree(recording.work / folder, ignore_errors=True)
        told = {" ".join(line): ended(code.handful(*line), clean) for line in lines}
        recording.write("cli", name, told)
    demo = code.handful("demo", max_batch=1, decode_threads=1)
    recording.write("cli", "demo", ended(demo, clean))
