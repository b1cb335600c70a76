"""Ray Serve on this machine: two ingress replicas on PostgreSQL, one encoder, real kills."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import httpx2 as httpx
import psutil
import pytest

from tests.service.client import Classifier, of_four
from tests.service.pictures import picture
from tests.service.postgres import fresh_database, url
from tests.service.ray.ray_server import RayServer, until

pytest.importorskip("ray", reason="handful[ray] is not installed")

# Ray's own processes take most of a minute to start and end; the tests beside this one are of what
# the service has of its own there.
pytestmark = pytest.mark.long


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


def test_ray_asks_for_a_token_and_tells_nobody(several: RayServer) -> None:
    tokens = set()
    for process in several.family():
        if process.cmdline()[:1] == [] or process.cmdline()[0].startswith("ray::"):
            continue  # what it is called was written over what it was started with
        environment = process.environ()
        assert environment["RAY_USAGE_STATS_ENABLED"] == "0"
        assert environment["RAY_AUTH_MODE"] == "token"
        tokens.add(environment["RAY_AUTH_TOKEN"])
    [token] = tokens
    assert len(token) == 64


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
    try:
        before = {deployment: several.replicas(deployment) for deployment in ("Ingress", "Encoder")}
        assert [len(replicas) for replicas in before.values()] == [2, 1]
        for replicas in before.values():
            replicas[0].kill()
        until(lambda: all(_replaced(several, *one) for one in before.items()))
        answered = asked
        until(lambda: asked > answered + 20)
    finally:
        over.set()
    for thread in threads:
        thread.join()
    assert failed == []
    [answer] = classifier.predictions(picture(3))
    assert answer["label"] == "bee"


def test_it_ends_and_leaves_no_process(several: RayServer) -> None:
    family = several.family()
    assert several.stop() == 0
    _, alive = psutil.wait_procs(family, timeout=10)
    assert alive == []


def _with_retries(classifier: Classifier) -> httpx.Response:
    """What a client does that may send a query again."""
    while True:
        with suppress(httpx.TransportError):
            answer = classifier.predict(picture(1))
            if answer.status_code < 500:
                return answer
        time.sleep(0.1)


def _replaced(server: RayServer, deployment: str, before: list[psutil.Process]) -> bool:
    """Whether there are as many replicas as before one was killed, and all is well."""
    now = server.replicas(deployment)
    if before[0] in now or len(now) < len(before):
        return False
    with server.client() as http:
        return http.get("/readyz").status_code == 200
