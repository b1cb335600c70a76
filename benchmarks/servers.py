"""The servers that are measured: Handful, and what one would otherwise write."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2 as httpx

from benchmarks.load import Service, running
from benchmarks.load.service import PORT
from benchmarks.photographs import write_support, zipped_support

CLASSIFIER = "/v1/classifiers/benchmark"
PREDICT = f"{CLASSIFIER}/predict"
_PATIENCE = 300.0


@contextmanager
def handful(
    source: Path | None = None, /, *, ray: bool = False, **settings: object
) -> Iterator[Service]:
    """A service with an empty database.

    Args:
        source: Another checkout whose service it is, such as one of an earlier version.
        ray: Whether it is served by a Ray of this machine.
        settings: Those of ``HANDFUL_...``, in small letters; others are as in the environment.
    """
    with tempfile.TemporaryDirectory(prefix="handful-data-") as folder:
        command = [sys.executable, "-m", "service.cli", "serve", "--port", PORT]
        command += ["--ray"] * ray
        environment = {f"HANDFUL_{name.upper()}": str(value) for name, value in settings.items()}
        if source is not None:  # before the folder that it runs in
            environment |= {"PYTHONPATH": str(source.resolve()), "PYTHONSAFEPATH": "1"}
        with running([*command, "--data-dir", folder], "/readyz", environment) as service:
            yield service


@contextmanager
def baseline() -> Iterator[Service]:
    """The naive server of `benchmarks.baseline` under plain uvicorn, with its support set."""
    with tempfile.TemporaryDirectory(prefix="handful-baseline-") as folder:
        write_support(Path(folder))
        command = [sys.executable, "-m", "uvicorn", "benchmarks.baseline.app:app", "--port", PORT]
        with running(command, "/docs", {"BASELINE_SUPPORT": folder}) as service:
            yield service


def register(service: Service, classifier: str = CLASSIFIER) -> None:
    """Make a classifier of 10 classes of 16 images in Handful, at this path."""
    with httpx.Client(base_url=service.url, timeout=_PATIENCE) as client:
        register_by(client, classifier)


def register_by(client: httpx.Client, classifier: str = CLASSIFIER) -> None:
    """The same, by a client that may be somebody's with a key."""
    client.put(classifier).raise_for_status()
    client.post(
        f"{classifier}/support",
        content=zipped_support(),
        headers={"content-type": "application/zip"},
    ).raise_for_status()
