"""A real Prometheus on loopback, for what is put into a cluster."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

ROOT = Path(__file__).parents[3]
RULES = ROOT / "deploy" / "prometheus" / "handful.rules.yml"
_PATIENCE = 60


def binary(name: str) -> str:
    """A program of Debian's package ``prometheus``; skips where it is not there."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        pytest.skip(f"there is no {name}: make prometheus")
    return found


class Prometheus:
    """One that runs."""

    def __init__(self, url: str) -> None:
        self.http = httpx.Client(base_url=url, timeout=30)

    def ask(self, query: str) -> list[tuple[dict[str, str], float]]:
        """The value of each series that a query gives now, with its labels."""
        answer = self.http.get("/api/v1/query", params={"query": query}).json()
        assert answer["status"] == "success", (query, answer.get("error"))
        found = answer["data"]["result"]
        if answer["data"]["resultType"] == "scalar":
            return [({}, float(found[1]))]
        return [(each["metric"], float(each["value"][1])) for each in found]

    def wait(self, query: str) -> list[tuple[dict[str, str], float]]:
        """Wait until a query gives anything, and return it.

        A scrape that takes longer than its time-out, on a busy machine, ends all series of its
        target until the next: what there is of a service is waited for, never asked once.
        """
        end = time.monotonic() + _PATIENCE
        while not (found := self.ask(query)):
            assert time.monotonic() < end, f"it gives nothing: {query}"
            time.sleep(0.2)
        return found

    def rules(self) -> list[dict[str, Any]]:
        """All rules with their state."""
        groups = self.http.get("/api/v1/rules").json()["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]


@contextmanager
def scraping(url: str, folder: Path) -> Iterator[Prometheus]:
    """A Prometheus that scrapes a service each second, with our rules."""
    target = url.removeprefix("http://")
    config = folder / "prometheus.yml"
    config.write_text(
        "global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}\n"
        f"rule_files: ['{RULES}']\n"
        "scrape_configs:\n"
        "  - job_name: handful\n"
        f"    static_configs: [{{targets: ['{target}']}}]\n"
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [
        *(binary("prometheus"), f"--config.file={config}"),
        *(f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address={address}"),
    ]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        prometheus = Prometheus(f"http://{address}")
        end = time.monotonic() + _PATIENCE
        while True:
            with suppress(httpx.TransportError):
                if prometheus.http.get("/-/ready").status_code == 200:
                    break
            assert process.poll() is None, (folder / "prometheus.log").read_text()[-2000:]
            assert time.monotonic() < end
            time.sleep(0.1)
        yield prometheus
    finally:
        process.terminate()
        process.wait()
