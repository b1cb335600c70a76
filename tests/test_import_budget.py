"""A budget of imports: a start is as quick, and as small, as what it imports."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = (
    "accelerate",
    "matplotlib",
    "open_clip",
    "pandas",
    "scipy.stats",
    "sklearn",
    "sympy",
    "timm",
    "torch._dynamo",
    "torch._inductor",
    "torchmetrics",
    "torchvision",
    "transformers",
    "webdataset",
)
"""What training, evaluation, charts and compiling need, and nobody who waits for an answer."""


def imported(program: str) -> set[str]:
    """Names of the modules of a process that ran the program."""
    listing = "import sys; print(*sys.modules, sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-c", f"{program}\n{listing}"], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("program", "most", "without"),
    [
        ("import service.api.app", 2850, HEAVY),
        ("import service.cli", 500, (*HEAVY, "torch", "fastapi", "sqlalchemy", "scipy", "numpy")),
        # Operators wait for these, and cron runs them: no PyTorch.
        (
            "import service.cli.failure, service.moving.backups, service.moving.store_migration",
            *(1100, (*HEAVY, "torch", "fastapi.routing")),
        ),
        (
            "import service.cli.failure, service.storage.audit, service.storage.keys\n"
            "import service.storage.engine, service.api.schemas.keys",
            *(1100, (*HEAVY, "torch")),
        ),
    ],
    ids=["the serving application", "the command line", "backup and migrate-store", "keys"],
)
def test_what_is_imported_stays_within_its_budget(
    program: str, most: int, without: tuple[str, ...]
) -> None:
    found = imported(program)
    assert len(found) > 100
    assert not found & set(without)
    assert len(found) <= most


def test_help_imports_no_more_than_the_command_line_itself() -> None:
    found = imported(
        "import service.cli\ntry: service.cli.app(['--help'])\nexcept SystemExit: pass"
    )
    assert not found & {*HEAVY, "torch", "fastapi", "sqlalchemy", "scipy", "numpy"}
    assert len(found) <= 700
