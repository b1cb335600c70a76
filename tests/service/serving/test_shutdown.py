"""SIGTERM while clients stall, are silent, read slowly, or wait: the process ends all the same."""

from __future__ import annotations

import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.service.client import Classifier
from tests.service.pictures import picture
from tests.service.server import Server
from tests.service.sockets import HEALTHZ, Bare, head

GRACE = 4.0
# Of machines that are busy otherwise; far below the 60 s that clients would be waited for.
AT_ONCE = 10


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """Changes wait for as long as this lasts."""
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.close()


def upload(classifier: Classifier, body: bytes) -> bytes:
    path = f"{classifier.url}/classes/ant/images"
    return head("POST", path, content_type="image/png", content_length=len(body))


def ended(server: Server) -> tuple[int, float]:
    """Exit status of a process that has been told to end, and the seconds that it took."""
    begun = time.monotonic()
    return server.process.wait(timeout=60), time.monotonic() - begun


def test_sigterm_lets_requests_finish_and_closes_what_is_idle(tmp_path: Path, vit: str) -> None:
    with Server.ready(tmp_path / "data", backbone=vit, shutdown_seconds=60) as server:
        with server.client() as http:
            classifier = Classifier(http, "a")
            classifier.put().raise_for_status()
        body = picture(1)
        silent = Bare(server.url)
        idle = Bare(server.url).send(HEALTHZ)
        assert idle.answer() == 200
        half = Bare(server.url).send(upload(classifier, body), body[:100])
        begun_head = Bare(server.url).send(HEALTHZ[:10])
        time.sleep(0.3)  # all of that has arrived
        server.process.terminate()
        for one in (silent, idle, begun_head):
            assert one.answers().told == b""
        assert server.process.poll() is None
        answers = half.send(body[100:]).answers()
        assert answers.statuses == [201]
        assert b"connection: close" in answers.told
        status, seconds = ended(server)
        assert status == 0
        assert seconds < 30
        assert "Application shutdown complete" in server.log.read_text()
        assert "Traceback" not in server.log.read_text()
    with sqlite3.connect(tmp_path / "data" / "handful.db") as database:
        assert database.execute("SELECT COUNT(*) FROM support").fetchone() == (1,)


@pytest.mark.alone
def test_sigterm_ends_within_its_time_whatever_clients_and_threads_do(
    tmp_path: Path, vit: str
) -> None:
    with Server.ready(tmp_path / "data", backbone=vit, shutdown_seconds=GRACE) as server:
        with server.client() as http:
            classifier = Classifier(http, "a")
            classifier.put().raise_for_status()
        stalled = [
            Bare(server.url).send(upload(classifier, picture(1)), b"x"),
            Bare(server.url).send(head("POST", f"{classifier.url}/support", content_length=9)),
        ]
        large = head("GET", "/static-offline-docs/redoc.standalone.js")
        Bare(server.url, receive_buffer=4096).send(large * 8)
        with locked(tmp_path / "data" / "handful.db"):
            # One waits for the database in a thread, the others for it.
            waiting = [
                Bare(server.url).send(head("PUT", f"{classifier.url}/classes/c{i}"))
                for i in range(3)
            ]
            time.sleep(0.3)
            server.process.terminate()
            _, seconds = ended(server)
        assert GRACE / 2 < seconds < GRACE + 1
        for one in stalled[:1] + waiting:
            one.answers().problem(503, "shutting-down", "Send it again")
        assert "Traceback" not in server.log.read_text()
    with sqlite3.connect(tmp_path / "data" / "handful.db") as database:
        assert database.execute("SELECT COUNT(*) FROM classes").fetchone() == (0,)


def test_a_second_signal_ends_at_once(tmp_path: Path, vit: str) -> None:
    with Server.ready(tmp_path / "data", backbone=vit, shutdown_seconds=60) as server:
        stalled = Bare(server.url).send(
            head("PUT", "/v1/classifiers/a", content_type="application/json", content_length=9)
        )
        time.sleep(0.3)
        server.process.terminate()
        time.sleep(0.5)
        assert server.process.poll() is None
        server.process.terminate()
        status, seconds = ended(server)
        assert status == 128 + 15
        assert seconds < AT_ONCE
        assert stalled.answers().told == b""


@pytest.mark.long
def test_a_second_signal_ends_several_processes_at_once(tmp_path: Path, vit: str) -> None:
    with Server.ready(tmp_path / "data", backbone=vit, processes=2, shutdown_seconds=60) as server:
        stalled = Bare(server.url).send(
            head("PUT", "/v1/classifiers/a", content_type="application/json", content_length=9)
        )
        started = psutil.Process(server.process.pid).children()
        time.sleep(0.3)
        server.process.terminate()
        assert stalled.closed() is False
        deadline = time.monotonic() + 30
        while not re.search("Shutting down", server.log.read_text()):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        server.process.terminate()
        status, seconds = ended(server)
        assert status == 128 + 15
        assert seconds < AT_ONCE
        _, alive = psutil.wait_procs(started, timeout=10)
        assert not alive


def test_a_process_that_is_loading_ends_at_once(tmp_path: Path, vit: str) -> None:
    data = tmp_path / "data"
    data.mkdir()
    with sqlite3.connect(data / "handful.db", isolation_level=None) as database:
        database.execute("PRAGMA journal_mode=WAL")
    with locked(data / "handful.db"), Server.listening(data, backbone=vit) as server:
        server.process.terminate()
        status, seconds = ended(server)
    assert status == 0
    assert seconds < AT_ONCE


_TEARDOWN_THAT_HANGS = """
import asyncio, os, signal, threading, time
from service.serving.connections import ConnectionLimits, Connections
from service.serving.graceful_shutdown import handle_termination_signals
from service.settings import Settings

class Slow:
    def __del__(self, sleep=time.sleep):
        print("torn down", flush=True)
        sleep(60)

async def serve():
    ready = threading.Event()
    ready.set()
    connections = Connections(ConnectionLimits.of(Settings()))
    handle_termination_signals(connections, 1.0, ready, lambda *_: None)
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.sleep(0)

kept = Slow()
asyncio.run(serve())
"""


def test_a_process_that_hangs_while_python_is_torn_down_is_ended_in_time() -> None:
    command = [sys.executable, "-c", _TEARDOWN_THAT_HANGS]
    run = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert run.stdout == "torn down\n", run.stderr
    assert run.returncode == -signal.SIGALRM
