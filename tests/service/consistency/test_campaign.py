"""A short cut of ``python -m tests.campaigns.consistency``, and the bugs that it has to find."""

from __future__ import annotations

import http.server
import json
import random
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from tests.campaigns.consistency import campaign, clients, command
from tests.campaigns.consistency.campaign import Found, run
from tests.campaigns.consistency.checker import TooManyConfigurations
from tests.campaigns.consistency.deployments import (
    Deployment,
    on_faulty_disk,
    on_postgresql,
    on_sqlite,
)
from tests.campaigns.consistency.network import networks
from tests.campaigns.consistency.planted import PLANTED

_PLANTED_ON = {
    "stale-cache": "postgresql",
    "lock-taken-too-late": "postgresql",
    "upload-in-parts": "sqlite",
    "deleted-in-memory-alone": "sqlite",
    "forgotten-idempotency-keys": "sqlite",
}


def deployed(
    kind: str, folder: Path, vit: str, planted: Any = None
) -> AbstractContextManager[Deployment]:
    on = on_sqlite if kind == "sqlite" else on_postgresql
    return on(folder, {"backbone": vit}, planted)


def ran(deployment: Deployment, number: int, *faults: str, seed: int = 1) -> Found:
    return run(deployment, faults=faults, number=number, clients=4, seed=seed)


@pytest.mark.parametrize(
    ("kind", "faults"),
    [
        ("sqlite", ("kill", "pause", "other writer")),
        ("postgresql", ("kill", "kill database", "cut")),
    ],
)
def test_every_answer_is_explained_whatever_is_killed(
    tmp_path: Path, vit: str, kind: str, faults: tuple[str, ...]
) -> None:
    with deployed(kind, tmp_path, vit) as deployment:
        found = ran(deployment, 4, *faults)
    assert found.is_well, (found.anomalies, found.failures)
    assert found.operations > 20
    assert sum(found.faults.values()) == 4


def test_what_was_acknowledged_outlives_a_power_cut(tmp_path: Path, vit: str) -> None:
    with on_faulty_disk(tmp_path, {"backbone": vit}) as deployment:
        found = ran(deployment, 2, "power cut")
    assert found.is_well, (found.anomalies, found.failures)
    assert found.faults["power cut"] == 2


@pytest.mark.skipif(not networks(), reason="needs root, ip and tc")
def test_a_replica_whose_packets_vanish_answers_nothing_stale(tmp_path: Path, vit: str) -> None:
    with deployed("postgresql", tmp_path, vit) as deployment:
        found = ran(deployment, 3, "lost network", "slow network")
    assert found.is_well, (found.anomalies, found.failures)
    assert sum(found.faults.values()) == 3


class Failing(http.server.BaseHTTPRequestHandler):
    """Takes classifiers, and answers all else with 500."""

    def do_PUT(self) -> None:
        self._answer(201)

    def do_POST(self) -> None:
        self._answer(500)

    def do_DELETE(self) -> None:
        self._answer(500)

    def _answer(self, status: int) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class FailingDeployment:
    """A service that fails, and cannot be killed."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.faults: dict[str, Any] = {}

    def address(self, _: random.Random) -> str:
        return f"http://127.0.0.1:{self._port}"

    def log(self) -> str:
        return "what it has told"


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Iterator[FailingDeployment]:
    monkeypatch.setattr(clients, "_PATIENCE", 0.3)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Failing) as server:
        threading.Thread(target=server.serve_forever).start()
        yield FailingDeployment(server.server_port)
        server.shutdown()


@pytest.mark.parametrize("number", [0, 2])
def test_a_service_that_fails_to_the_end_is_a_failure_of_the_batch(
    failing: FailingDeployment, number: int
) -> None:
    found = run(failing, faults=[], number=0, clients=number, seed=1)
    assert any("AssertionError" in one for one in found.failures), found.failures
    assert any(one.startswith("500") for one in found.failures)
    # Nobody looks at last where clients have failed, which takes as long again.
    last = any("nobody answers in the end" in one for one in found.failures)
    assert last == (number == 0)


@pytest.mark.parametrize(
    ("status", "kind", "outcome"),
    [
        (503, "storage-unavailable", "refused"),
        (503, "outcome-unknown", "unknown"),  # lost in the moment of the commit
        (409, "already-carried-out", "done"),
    ],
)
def test_what_an_answer_says_of_a_change(status: int, kind: str, outcome: str) -> None:
    headers = {"content-type": "application/problem+json"}
    answer = httpx.Response(status, json={"type": kind}, headers=headers)
    assert clients.outcome_of(answer) == outcome


def test_histories_that_cannot_be_checked_are_a_failure(
    failing: FailingDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(_: object) -> Any:
        raise TooManyConfigurations("at operation 7")

    monkeypatch.setattr(campaign, "check", check)
    monkeypatch.setattr(campaign, "_look_at_last", lambda *_: None)
    [failure] = run(failing, faults=[], number=0, clients=0, seed=1).failures
    assert "at operation 7" in failure


def commanded(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["consistency", *arguments])
    return command.main()


def test_what_was_broken_off_and_what_was_found_is_kept(
    failing: FailingDeployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a campaign whose batches come to nothing ends."""
    history = tmp_path / "sqlite-as-it-is-1-0.jsonl"
    history.write_text("of a run that was broken off")
    monkeypatch.setattr(command, "on_sqlite", lambda *_: nullcontext(failing))
    assert commanded(monkeypatch, "--log", str(tmp_path), "--clients", "1") == 1
    [line] = (tmp_path / "found.jsonl").read_text().splitlines()
    assert json.loads(line)["failures"]
    unfinished = history.with_suffix(".unfinished.jsonl")
    assert unfinished.read_text() == "of a run that was broken off"
    assert history.with_suffix(".log").read_text() == "what it has told"


def test_a_summary_is_of_its_own_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [
        {"batch": f"sqlite {whose} 0", "is_well": whose == "as it is 1", "operations": 7}
        | {"faults": {"kill": 25}, "counts": {}}
        for whose in ("as it is 1", "as it is 2", "stale-cache 1")
    ]
    (tmp_path / "found.jsonl").write_text("\n".join(map(json.dumps, lines)))
    arguments = ("--log", str(tmp_path), "--kills", "25")
    assert commanded(monkeypatch, *arguments) == 0
    assert "1 batches, 7 operations" in capsys.readouterr().out
    assert commanded(monkeypatch, *arguments, "--seed", "2") == 1


@pytest.mark.parametrize(
    ("on", "planted"),
    [
        ("faulty-disk", "stale-cache"),
        ("sqlite", "dropped-flushes"),
        ("postgresql", "dropped-flushes"),
    ],
)
def test_what_cannot_be_planted_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], on: str, planted: str
) -> None:
    with pytest.raises(SystemExit):
        commanded(monkeypatch, "--on", on, "--planted", planted)
    assert "cannot be planted" in capsys.readouterr().err


@pytest.mark.long
@pytest.mark.parametrize("planted", PLANTED)
def test_each_bug_that_is_planted_is_found(tmp_path: Path, vit: str, planted: str) -> None:
    found = Found()
    for seed in range(5):
        (folder := tmp_path / str(seed)).mkdir()
        with deployed(_PLANTED_ON[planted], folder, vit, PLANTED[planted]) as deployment:
            found = ran(deployment, 8, "kill", seed=seed)
        if found.anomalies or found.failures:
            break
    # Constraints of the database refuse what a lock has let through: an answer that none may give.
    assert found.failures if planted == "lock-taken-too-late" else found.anomalies


@pytest.mark.long
def test_a_disk_that_drops_flushes_is_found(tmp_path: Path, vit: str) -> None:
    found = Found()
    for seed in range(5):
        (folder := tmp_path / str(seed)).mkdir()
        with on_faulty_disk(folder, {"backbone": vit}, drops_flushes=True) as deployment:
            found = ran(deployment, 6, "power cut", seed=seed)
        if not found.is_well:
            break
    assert not found.is_well


def test_all_that_is_planted_is_tried() -> None:
    assert set(_PLANTED_ON) == set(PLANTED)
