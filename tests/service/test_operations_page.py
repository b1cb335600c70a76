"""The commands of docs/operations.md, run as they stand there, in their order."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.service.clusters import HOST
from tests.service.postgres import fresh_database, url

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"
_URL = "postgresql+psycopg://handful:secret@db.example.com:5432/handful"


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


@pytest.mark.long
def test_the_commands_of_the_page_run_as_written(tmp_path: Path, vit: str) -> None:
    text = PAGE.read_text("utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert len(blocks) >= 8
    script = "\n".join(blocks).replace("/var/lib/handful", str(tmp_path / "data"))
    for port in ("8000", "8001"):
        assert port in script
        script = script.replace(port, str(_free_port()))
    (tmp_path / "deploy").symlink_to(PAGE.parents[1] / "deploy")
    with fresh_database() as main, fresh_database() as restored, fresh_database() as moved:
        for suffix, name in (("_restored", restored), ("_moved", moved), ("", main)):
            assert f"{_URL}{suffix}" in script
            script = script.replace(f"{_URL}{suffix}", url(name))
        assert "example.com" not in script
        environment = {k: v for k, v in os.environ.items() if not k.startswith("HANDFUL_")} | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HANDFUL_BACKBONE": vit,
            "HANDFUL_PRECISION": "float32",
        }
        output = tmp_path / "output"  # no pipe: what the page leaves running would hold it open
        with (
            output.open("wb") as file,
            subprocess.Popen(
                ["bash", "-eux", "-o", "pipefail", "-c", script],
                cwd=tmp_path,
                env=environment,
                stdout=file,
                stderr=file,
                start_new_session=True,
            ) as running,
        ):
            try:
                status = running.wait(240)
            finally:
                _end(running.pid)
    said = output.read_text("utf-8", "replace")
    assert status == 0, said[-6000:]
    assert '"birds"' in said


def _end(session: int) -> None:
    """End what the page has left running: all processes of its session."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if os.getsid(int(folder.name)) == session:
                os.kill(int(folder.name), signal.SIGKILL)
        except ProcessLookupError:
            continue
