"""Ray Serve on this machine: two ingress replicas on PostgreSQL, one encoder, real kills."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import httpx2 as httpx
import psutil
import pytest

from tests.service.client import Classifier, of_four
from tests.service.pictures import picture
from tests.service.postgres import fresh_database, url
from tests.service.ray.ray_server import RayServer, until

pytest.importorskip("ray", reason="handful[ray] is not installed")


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory, vit: str) -> Iterator[RayServer]:
    with (
        fresh_database() as database,
        RayServer(
            tmp_path_factory.mktemp("ray"), backbone=vit, processes=2, database_url=url(database)
        ) as running,
    ):
        yield running


@pytest.fixture
def http(several: RayServer) -> Iterator[httpx.Client]:
    with several.client() as client:
        yield client


def test_the_whole_application_is_served(http: httpx.Client) -> None:
    classifier = of_four(http, "whole")
    [answer] = classifier.predictions(picture(1))
    assert answer["label"] == "ant"
    assert http.get("/readyz").json() == {"status": "ready"}
    answered = http.get("/v1/classifiers/none")
    assert answered.status_code == 404
    assert answered.headers["content-type"] == "application/problem+json"
    assert answered.headers["referrer-policy"] == "no-referrer"


def test_nobody_outside_the_machine_is_told_or_listened_to(several: RayServer) -> None:
    for process in several.family():
        assert process.environ().get("RAY_USAGE_STATS_ENABLED", "0") == "0"
        for connection in process.net_connections("inet"):
            if connection.status == psutil.CONN_LISTEN:
                assert connection.laddr.ip in ("127.0.0.1", "::1"), (process.cmdline(), connection)


def test_replicas_that_are_killed_are_replaced_and_no_query_is_lost(
    several: RayServer, http: httpx.Client
) -> None:
    classifier = of_four(http, "killed")
    failed: list[str] = []
    asked = 0
    over = threading.Event()

    def ask() -> None:
        nonlocal asked
        with several.client() as own:
            while not over.is_set():
                answer = _with_retries(Classifier(own, "killed"))
                asked += 1
                if answer.status_code != 200:
                    failed.append(answer.text)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for deployment in ("Ingress", "Encoder"):
        before = {one.pid for one in several.replicas(deployment)}
        killed = several.replicas(deployment)[0]
        killed.kill()
        until(lambda before=before, d=deployment: _new(several, d, before))
    over.set()
    for thread in threads:
        thread.join()
    assert failed == []
    assert asked > 20
    [answer] = classifier.predictions(picture(3))
    assert answer["label"] == "bee"


def test_it_ends_and_leaves_no_process(several: RayServer) -> None:
    family = several.family()
    assert several.stop() == 0
    _, alive = psutil.wait_procs(family, timeout=10)
    assert alive == []


def _with_retries(classifier: Classifier) -> httpx.Response:
    """What a client does that may send a query again."""
    for _ in range(200):
        try:
            answer = classifier.predict(picture(1))
        except httpx.TransportError:
            over = threading.Event()
            over.wait(0.1)
            continue
        if answer.status_code < 500:
            return answer
        threading.Event().wait(0.1)
    return answer


def _new(server: RayServer, deployment: str, before: set[int]) -> bool:
    """Whether another replica has taken the place of one that was killed, and answers."""
    now = {one.pid for one in server.replicas(deployment)}
    if len(now) < len(before) or now <= before:
        return False
    with server.client() as http:
        return http.get("/readyz").status_code == 200
