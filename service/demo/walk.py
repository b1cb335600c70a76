"""Walk through the API: register support images, predict queries, measure accuracy."""

from __future__ import annotations

import io
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx2 as httpx
from rich.console import Console
from rich.progress import track
from rich.table import Table

from service.demo.sample_images import FewShotTask

_START_SECONDS = 180
_BATCH = 16


class DemoError(RuntimeError):
    """The service did not do what was asked of it."""


@dataclass(frozen=True, slots=True)
class ScoredPrediction:
    """Prediction of the service for a query, with the query's true label."""

    name: str
    truth: str
    prediction: dict[str, Any]

    @property
    def correct(self) -> bool:
        """Whether the most probable label is the true one."""
        return bool(self.prediction["label"] == self.truth)


@contextmanager
def running_service(console: Console) -> Iterator[httpx.Client]:
    """Start a service of its own with an empty database; stop it at the end.

    Raises:
        DemoError: It does not become ready.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (
        tempfile.TemporaryDirectory(prefix="handful-demo-") as folder,
        open(os.path.join(folder, "log"), "w+") as log,
    ):
        process = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", "service.cli", "serve", "--port", str(port)],
            env=os.environ | {"HANDFUL_DATA_DIR": folder},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120) as client:
                with console.status("starting the service"):
                    _wait_until_ready(client, process, log.name)
                yield client
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)


def walk(client: httpx.Client, task: FewShotTask, console: Console) -> float:
    """Register the task's support images, ask its queries, print what came; return accuracy.

    Raises:
        DemoError: A request was refused.
    """
    address = f"/v1/classifiers/{task.name}"
    _checked(client.put(address, json={"names_carry_meaning": task.names_carry_meaning}))
    started = time.perf_counter()
    registered = _checked(
        client.post(
            f"{address}/support",
            content=_zip(task),
            headers={"content-type": "application/zip"},
        )
    )
    registering = time.perf_counter() - started
    answers: list[ScoredPrediction] = []
    started = time.perf_counter()
    for i in track(
        range(0, len(task.queries), _BATCH), f"asking {task.name}", console=console, transient=True
    ):
        batch = task.queries[i : i + _BATCH]
        files = [("files", (image.name, image.content)) for image in batch]
        predictions = _checked(client.post(f"{address}/predict", files=files))["predictions"]
        answers += [
            ScoredPrediction(image.name, image.label, prediction)
            for image, prediction in zip(batch, predictions, strict=True)
        ]
    asking = time.perf_counter() - started
    accuracy = sum(answer.correct for answer in answers) / len(answers)
    labels = {image.label for image in task.support}
    console.print(
        f"\n[bold]{task.name}[/]: {task.about}\n"
        f"registered {registered['created']} images of {len(labels)} classes in "
        f"{registering:.1f} s, asked {len(answers)} others in {asking:.1f} s: "
        f"[bold]accuracy {accuracy:.1%}[/]"
    )
    console.print(_shown(answers))
    return accuracy


def _shown(answers: list[ScoredPrediction]) -> Table:
    """Two right answers and a wrong one, if there is one, with their evidence."""
    table = Table("query", "truth", "answer", "probability", "nearest support images")
    correct = [answer for answer in answers if answer.correct]
    wrong = [answer for answer in answers if not answer.correct]
    for answer in [*correct[:1], *correct[-1:], *wrong[:1]]:
        prediction = answer.prediction
        evidence = ", ".join(f"{e['label']} {e['similarity']:.2f}" for e in prediction["evidence"])
        mark = "" if answer.correct else " [red](wrong)[/]"
        table.add_row(
            answer.name,
            answer.truth,
            prediction["label"] + mark,
            f"{prediction['probability']:.2f}",
            evidence,
        )
    return table


def _wait_until_ready(client: httpx.Client, process: subprocess.Popen[bytes], log: str) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            if client.get("/readyz").status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    with open(log) as lines:
        raise DemoError(f"the service did not start:\n{lines.read()}")


def _zip(task: FewShotTask) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for image in task.support:
            archive.writestr(f"{image.label}/{image.name}", image.content)
    return buffer.getvalue()


def _checked(response: httpx.Response) -> dict[str, Any]:
    if response.is_error:
        raise DemoError(
            f"{response.request.method} {response.request.url} was refused with "
            f"{response.status_code}: {response.text}"
        )
    body: dict[str, Any] = response.json()
    return body
