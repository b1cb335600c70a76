"""Services on one PostgreSQL answer as one, whichever is asked, changed or killed."""

from __future__ import annotations

import json
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx2 as httpx
import pytest

from service.access.principal import Scope
from service.storage.engine import open_database
from service.storage.keys import create_key
from service.storage.stored_keys import KeyTerms
from tests.service.client import Classifier, problem
from tests.service.jobs.asking import begun, ended, results
from tests.service.pictures import picture
from tests.service.postgres import fresh_database, url
from tests.service.server import Server

PATIENCE = 60


@dataclass
class Replicas:
    """Two services that share a database and the folder of their jobs."""

    servers: list[Server]
    clients: list[httpx.Client]
    start: Callable[[], Server]

    def named(self, name: str) -> tuple[Classifier, Classifier]:
        here, there = (Classifier(http, name) for http in self.clients)
        return here, there


@pytest.fixture(scope="module")
def replicas(tmp_path_factory: pytest.TempPathFactory, vit: str) -> Iterator[Replicas]:
    folder = tmp_path_factory.mktemp("replicas")
    with fresh_database() as database, ExitStack() as stack:
        engine = open_database(url(database))
        terms = KeyTerms(tenant="", scopes=frozenset(Scope))
        key = create_key(engine, terms)[1]
        engine.dispose()

        def start() -> Server:
            made = Server.listening(
                folder, backbone=vit, database_url=url(database), auth="keys", history_days=1
            )
            return stack.enter_context(made)

        servers = [start(), start()]
        clients = []
        for server in servers:
            server.wait_until_ready()
            client = stack.enter_context(server.client())
            client.headers["x-api-key"] = key
            clients.append(client)
        yield Replicas(servers, clients, start)
        for server in servers:
            server.stop()
        assert "Traceback" not in servers[0].log.read_text()


def n_images(classifier: Classifier, seed: int = 1) -> int:
    [answer] = classifier.predictions(picture(seed), evidence=100)
    return len(answer["evidence"])


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_what_one_has_acknowledged_the_other_answers_from(replicas: Replicas) -> None:
    here, there = replicas.named("told")
    here.put().raise_for_status()
    for number in range(1, 13):
        here, there = there, here
        here.post("ant" if number % 2 else "bee", picture(number)).raise_for_status()
        assert n_images(there) == number
        assert there.http.get(there.url).headers["etag"] == here.http.get(here.url).headers["etag"]
    there.http.delete(there.class_url("bee")).raise_for_status()
    assert n_images(here) == 6
    there.http.post(f"{there.url}/rename", json={"to": "renamed"}).raise_for_status()
    assert here.predict(picture(1)).status_code == 404
    here, there = replicas.named("renamed")
    assert n_images(here) == 6
    here.http.post(f"{here.url}/copy", json={"to": "copied"}).raise_for_status()
    assert n_images(replicas.named("copied")[1]) == 6
    here.http.delete(here.url).raise_for_status()
    assert there.predict(picture(1)).status_code == 404
    # Another one of that name.
    here.put(classes=["cat"]).raise_for_status()
    assert n_images(there) == 0
    there.put(classes=["cat"], coverage=0.9).raise_for_status()
    assert here.http.get(here.url).json()["coverage"] == 0.9


def test_changes_through_both_at_the_same_time_are_all_kept(replicas: Replicas) -> None:
    both = replicas.named("both")

    def make(number: int) -> int:
        return both[number % 2].put().status_code

    def add(number: int) -> str:
        """Each image comes from both sides."""
        image = number // 2
        answer = both[number % 2].post(f"class {image % 3}", picture(100 + image))
        return str(answer.raise_for_status().json()["images"][0]["status"])

    with ThreadPoolExecutor(8) as threads:
        assert sorted(threads.map(make, range(4))) == [200, 200, 200, 201]
        assert sorted(threads.map(add, range(24))) == ["created"] * 12 + ["duplicate"] * 12
    assert [n_images(one) for one in both] == [12, 12]
    assert [sum(one.counts().values()) for one in both] == [12, 12]


def test_a_change_that_is_sent_again_to_the_other_is_made_once(replicas: Replicas) -> None:
    here, there = replicas.named("once")
    here.put().raise_for_status()
    headers = {"idempotency-key": str(uuid.uuid4()), "content-type": "image/png"}
    path = f"{here.class_url('ant')}/images"
    first = here.http.post(path, content=picture(7), headers=headers)
    again = there.http.post(path, content=picture(7), headers=headers)
    assert first.status_code == again.status_code == 201
    assert again.headers["idempotent-replayed"] == "true"
    assert first.content == again.content
    # At the same time: one makes it, the other says so or tells of it.
    headers["idempotency-key"] = str(uuid.uuid4())
    with ThreadPoolExecutor(2) as threads:
        sent = list(
            threads.map(
                lambda one: one.http.post(path, content=picture(8), headers=headers), (here, there)
            )
        )
    assert {one.status_code for one in sent} <= {201, 409}
    assert 201 in {one.status_code for one in sent}
    assert n_images(there) == 2


def test_a_classifier_in_use_follows_before_it_is_asked(replicas: Replicas) -> None:
    here, there = replicas.named("early")
    here.put().raise_for_status()
    here.post("ant", picture(1)).raise_for_status()
    assert n_images(there) == 1

    def followed() -> float:
        told = there.http.get("/metrics").text
        found = re.search(r"^handful_classifier_follow_seconds_count (\S+)$", told, re.M)
        assert found
        return float(found[1])

    def follows(before: float) -> bool:
        deadline = time.monotonic() + PATIENCE / 10
        while followed() <= before and time.monotonic() < deadline:
            time.sleep(0.05)
        return followed() > before

    # It follows once for each use of it, perhaps what comes late of the change before.
    for seed in range(2, 12):
        before = followed()
        here.post("ant", picture(seed)).raise_for_status()
        if follows(before):
            break
        assert n_images(there) == seed
    else:
        pytest.fail("it follows nothing before it is asked")
    assert n_images(there) == seed


def test_a_key_ends_in_all(replicas: Replicas) -> None:
    here, there = replicas.clients
    made = here.post("/v1/keys", json={"scopes": ["read"]}).raise_for_status().json()
    headers = {"x-api-key": made["key"]}
    # A key that was just made is looked for.
    assert there.get("/v1/classifiers", headers=headers).status_code == 200
    here.delete(f"/v1/keys/{made['id']}").raise_for_status()
    begun_at = time.monotonic()
    until(lambda: there.get("/v1/classifiers", headers=headers).status_code == 401)
    assert time.monotonic() - begun_at < 5
    audited = there.get("/v1/audit", params={"action": "key.revoked"}).json()["entries"]
    assert len(audited) == 1


def test_a_job_is_anybodys_and_goes_on_when_its_replica_is_killed(replicas: Replicas) -> None:
    """The last one: a service is another one after it."""
    here, there = replicas.named("working")
    here.put().raise_for_status()
    here.post("ant", picture(1)).raise_for_status()
    cancelled = begun(there, "predict", {f"{i:04}.png": picture(i) for i in range(300)})
    assert here.http.delete(cancelled).status_code in (202, 204)
    files = {f"{'ant' if i % 2 else 'wasp'}/{i:04}.png": picture(1000 + i) for i in range(700)}
    where = begun(here, "support", files)
    job = where.rpartition("/")[2]
    lock = Path(replicas.servers[0].data_dir) / "jobs" / job / "lock"
    until(lambda: there.http.get(where).json()["progress"]["done"] > 0)
    holder = who_has(lock, replicas.servers)
    told: list[str] = []

    def follow() -> None:
        other = replicas.clients[1 - holder]
        with other.stream("GET", f"{where}/events") as events:
            told.extend(line for line in events.iter_lines() if line.startswith("event"))

    following = threading.Thread(target=follow)
    following.start()
    replicas.servers[holder].kill()
    alive = replicas.named("working")[1 - holder]
    done = ended(alive.http, where)
    assert done["state"] == "done", done
    assert [line["file"] for line in results(alive.http, where)] == list(files)
    assert alive.counts() == {"ant": 351, "wasp": 350}
    following.join(PATIENCE)
    assert told[-1] == "event: end"
    replicas.servers[holder] = replicas.start()
    replicas.servers[holder].wait_until_ready()
    with replicas.servers[holder].client() as http:
        http.headers["x-api-key"] = alive.http.headers["x-api-key"]
        assert len(results(http, where)) == len(files)
        problem(http.get(f"{cancelled}x"), 404, "job-not-found")
        json.loads(http.get(cancelled).content)


def who_has(lock: Path, servers: list[Server]) -> int:
    """Which of them holds a lock of the kernel."""
    inode = lock.stat().st_ino
    for line in Path("/proc/locks").read_text().splitlines():
        fields = line.split()
        if fields[1] == "FLOCK" and fields[5].endswith(f":{inode}"):
            return [server.process.pid for server in servers].index(int(fields[4]))
    raise AssertionError(f"nobody has {lock}")
