"""What is made of something else is up to date; what the distribution says of itself is true."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import handful_client

ROOT = Path(__file__).parents[2]


def test_models_and_the_synchronous_client_are_up_to_date() -> None:
    command = [sys.executable, str(ROOT / "client" / "generate.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_distribution_needs_two_others_and_has_the_versions_of_the_service() -> None:
    project = tomllib.loads((ROOT / "client" / "pyproject.toml").read_text("utf-8"))["project"]
    service = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    needed = [one.partition(">")[0] for one in project["dependencies"]]
    assert needed == ["httpx2", "pydantic"]
    assert project["requires-python"] == service["requires-python"]
    assert handful_client.__version__ == service["version"]
    assert (ROOT / "client" / "handful_client" / "py.typed").is_file()
