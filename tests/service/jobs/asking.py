"""Jobs of a running service: asked for, waited for, and their results."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx2 as httpx

from tests.service.client import Classifier, Json
from tests.service.pictures import picture, zipped

ASYNC = {"prefer": "respond-async"}
PATIENCE = 120.0


def ask(
    made: Classifier, what: str, files: Mapping[str, bytes] | str, **parameters: Any
) -> httpx.Response:
    """Ask for a job with a zip of files, or with a folder."""
    url = f"{made.url}/{what}"
    if isinstance(files, str):
        return made.http.post(url, json={"folder": files}, headers=ASYNC, params=parameters)
    return made.http.post(
        url,
        content=zipped(files),
        headers={**ASYNC, "content-type": "application/zip"},
        params=parameters,
    )


def begun(made: Classifier, what: str, files: Mapping[str, bytes] | str, **parameters: Any) -> str:
    """Ask for a job that is taken; returns where it is."""
    answer = ask(made, what, files, **parameters)
    assert answer.status_code == 202, answer.text
    assert answer.headers["preference-applied"] == "respond-async"
    where: str = answer.headers["location"]
    assert where == f"/v1/jobs/{answer.json()['id']}"
    return where


def ended(http: httpx.Client, where: str) -> Json:
    """The job once it has ended."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        job: Json = http.get(where).raise_for_status().json()
        if job["state"] in ("done", "failed", "cancelled"):
            return job
        time.sleep(0.02)
    raise AssertionError(f"it has not ended: {job}")


def events_end_with(made: Classifier, http: httpx.Client, end: Callable[[], object]) -> None:
    """Whoever follows a job hears of it until something ends that lets them, and not to its end.

    Args:
        made: A classifier of somebody else, deleted then.
        http: Who follows.
        end: Called when they have heard of it.
    """
    where = begun(made, "predict", {f"{i}.png": picture(1) for i in range(1500)})
    with http.stream("GET", f"{where}/events") as events:
        told = []
        for line in events.iter_lines():
            if line.startswith("event"):
                told.append(line)
                end()
    assert told
    assert "event: end" not in told
    made.http.delete(where).raise_for_status()
    made.http.delete(made.url).raise_for_status()


def results(http: httpx.Client, where: str) -> list[Json]:
    """The lines of its results."""
    answer = http.get(f"{where}/results")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/jsonl"
    assert answer.content == b"" or answer.content.endswith(b"\n")
    return [json.loads(line) for line in answer.content.splitlines()]
