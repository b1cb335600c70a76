"""Replicas on one PostgreSQL answer as one service would, while they are killed.

    python -m tests.campaigns.replicas --replicas 3 --clients 4 --seconds 300 --seed 1

Each client has a classifier of its own and sends changes of all kinds, each through a replica drawn
at random and followed at once by a query through another one. The answer has to name exactly the
images that the change has left. Some changes are sent again to another replica with their
``Idempotency-Key``; whatever is not answered, as a replica was killed, is sent again so. At times
a job is begun through one and its results are fetched through another. All the while replicas are
killed (SIGKILL) and started again, one at a time.

Needs the programs of PostgreSQL: it makes a server of its own.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2 as httpx

from tests.service.pictures import picture, zipped
from tests.service.postgres import fresh_database, url
from tests.service.server import Server
from tests.tiny_vit import write_tiny_vit

_LABELS = ("ant", "bee", "cat", "dog")
# Seconds between two kills, at most; and in which a request has to be answered by somebody.
_BETWEEN = 12.0
_PATIENCE = 120.0


class Replicas:
    """Services, of which one may be dead.

    Args:
        start: Starts one, and waits until it is ready.
        number: Of them.
    """

    def __init__(self, start: Callable[[], Server], number: int) -> None:
        self.start = start
        self.servers = [start() for _ in range(number)]

    def kill(self, draw: random.Random) -> None:
        """Kill one and start another in its place."""
        which = draw.randrange(len(self.servers))
        self.servers[which].kill()
        self.servers[which] = self.start()


class Client:
    """Changes a classifier and looks whether all replicas know.

    Args:
        replicas: That it asks.
        number: Of the client.
        seed: Of what it draws.
    """

    def __init__(self, replicas: Replicas, number: int, seed: int) -> None:
        self.draw = random.Random(f"{seed} {number}")
        self.replicas = replicas
        self.number = number
        self.name = f"c{number}-0"
        self.content: dict[str, set[str]] = {}
        self.counts: Counter[str] = Counter()
        self.pictures = number * 10**6
        self.names = 0
        self.last = -1
        self.http: dict[str, httpx.Client] = {}

    def run(self, until: float) -> Counter[str]:
        """Go on until that moment; returns what was counted."""
        self._change("create", "PUT", f"/v1/classifiers/{self.name}", json={})
        while time.monotonic() < until:
            self._step()
            self._compare()
        for http in self.http.values():
            http.close()
        return self.counts

    def _step(self) -> None:
        draw, path = self.draw, f"/v1/classifiers/{self.name}"
        images = [one for some in self.content.values() for one in some]
        kinds = ["register"] * 4 + ["settings", "rename", "copy", "again", "replace"]
        if images:
            kinds += ["delete image", "delete image", "delete class", "job"]
        kind = draw.choice(kinds)
        if kind == "register":
            self._register(path)
        elif kind == "settings":
            self._change(kind, "PUT", path, json={"coverage": draw.choice([None, 0.8, 0.9])})
        elif kind == "rename":
            to = self._new_name()
            self._change(kind, "POST", f"{path}/rename", json={"to": to})
            self.name = to
        elif kind == "copy":  # goes on with the copy
            to = self._new_name()
            self._change(kind, "POST", f"{path}/copy", json={"to": to})
            self._change("delete", "DELETE", path)
            self.name = to
            self._learn()
        elif kind == "again":
            self._register(path, again=True)
        elif kind == "replace":
            self._change("delete", "DELETE", path)
            self._change("create", "PUT", path, json={"classes": ["ant"]})
            self.content = {"ant": set()}
        elif kind == "delete image":
            gone = draw.choice(images)
            body = {"images": [gone]}
            self._change(kind, "POST", f"{path}/images/delete", json=body)
            for some in self.content.values():
                some.discard(gone)
        elif kind == "delete class":
            label = draw.choice(list(self.content))
            self._change(kind, "DELETE", f"{path}/classes/{quote(label, safe='')}")
            del self.content[label]
        else:
            self._job(path)

    def _register(self, path: str, *, again: bool = False) -> None:
        label = self.draw.choice(_LABELS)
        self.pictures += 2
        images = [picture(self.pictures), picture(self.pictures + 1)]
        files = [("files", (f"{n}.png", one)) for n, one in enumerate(images)]
        key = str(uuid.uuid4())
        to = f"{path}/classes/{label}/images"
        answer = self._change("register", "POST", to, key, files=files)
        if again:
            second = self._change("sent again", "POST", to, key, files=files)
            told = second.json().get("type")
            assert told == "already-carried-out" or second.content == answer.content, second.text
        if answer.status_code == 409:  # made by a replica that was killed then
            self._learn()
        else:
            made = {one["id"] for one in answer.json()["images"]}
            self.content.setdefault(label, set()).update(made)

    def _job(self, path: str) -> None:
        files = {f"{n}.png": picture(n) for n in range(self.draw.randrange(1, 100))}
        answer = self._change(
            "job", "POST", f"{path}/predict", content=zipped(files),
            headers={"prefer": "respond-async", "content-type": "application/zip"},
        )  # fmt: skip
        where = answer.headers["location"]
        until = time.monotonic() + _PATIENCE
        while (job := self._ask("GET", where).json())["state"] not in ("done", "failed"):
            assert time.monotonic() < until, job
            time.sleep(0.05)
        assert job["state"] == "done", job
        lines = self._ask("GET", f"{where}/results").content.splitlines()
        assert [json.loads(line)["file"] for line in lines] == list(files)
        assert self._ask("DELETE", where).status_code in (204, 404)

    def _change(
        self, kind: str, method: str, path: str, key: str | None = None, **body: Any
    ) -> httpx.Response:
        """A change that is made once, whoever dies meanwhile."""
        headers = {**body.pop("headers", {}), "idempotency-key": key or str(uuid.uuid4())}
        answer = self._ask(method, path, headers=headers, **body)
        told = answer.json()["type"] if answer.status_code == 409 else ""
        assert answer.is_success or told == "already-carried-out", (kind, answer.text)
        self.counts[kind] += 1
        return answer

    def _ask(self, method: str, path: str, **body: Any) -> httpx.Response:
        """Ask another replica than the last time, and others until one answers."""
        until = time.monotonic() + _PATIENCE
        while True:
            others = [i for i in range(len(self.replicas.servers)) if i != self.last]
            self.last = self.draw.choice(others)
            url_ = self.replicas.servers[self.last].url
            http = self.http.get(url_)
            if http is None:
                http = self.http[url_] = httpx.Client(base_url=url_, timeout=_PATIENCE)
            try:
                answer = http.request(method, path, **body)
            except httpx.TransportError:
                self.counts["not answered"] += 1
            else:
                busy = answer.status_code == 409 and (
                    answer.json()["type"] in ("idempotency-key-in-use", "changed-meanwhile")
                )
                if answer.status_code != 503 and not busy:
                    return answer
                self.counts["told to come again"] += 1
            assert time.monotonic() < until, (method, path)
            time.sleep(0.05)

    def _compare(self) -> None:
        """The next replica answers from what was acknowledged last, and from nothing else."""
        files = [("files", ("q.png", picture(self.number)))]
        path = f"/v1/classifiers/{self.name}/predict"
        answer = self._ask("POST", path, params={"evidence": 100, "top_k": 100}, files=files)
        expected = {one for some in self.content.values() for one in some}
        if not self.content:
            assert answer.status_code == 409, answer.text
        else:
            [told] = answer.json()["predictions"]
            found = {one["image_id"] for one in told["evidence"]}
            assert found == expected, (self.name, found ^ expected)
            assert {one["label"] for one in told["top_k"]} == set(self.content)
        self.counts["queries"] += 1
        if len(expected) > 90:
            self._change("delete class", "DELETE", f"/v1/classifiers/{self.name}/classes/ant")
            self.content.pop("ant", None)

    def _learn(self) -> None:
        """Ask for the ids of images, which only the service knows."""
        path = f"/v1/classifiers/{self.name}/classes"
        found: dict[str, set[str]] = {}
        for one in self._ask("GET", path).json()["classes"]:
            label = one["label"]
            of_class = self._ask("GET", f"{path}/{quote(label, safe='')}").json()
            found[label] = {each["id"] for each in of_class["images"]}
        self.content = found

    def _new_name(self) -> str:
        self.names += 1
        return f"c{self.number}-{self.names}"


def campaign(replicas: Replicas, clients: int, seconds: float, seed: int) -> Counter[str]:
    """All clients at once, and kills beside them."""
    until, ended = time.monotonic() + seconds, threading.Event()
    counts: Counter[str] = Counter()
    draw = random.Random(seed)

    def kill() -> None:
        while not ended.wait(draw.uniform(_BETWEEN / 4, _BETWEEN)):
            replicas.kill(draw)
            counts["kills"] += 1

    killing = threading.Thread(target=kill)
    killing.start()
    try:
        with ThreadPoolExecutor(clients) as threads:
            running = [
                threads.submit(Client(replicas, number, seed).run, until)
                for number in range(clients)
            ]
            for one in running:
                counts.update(one.result())
    finally:
        ended.set()
        killing.join()
        for server in replicas.servers:
            server.kill()
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--replicas", type=int, default=3)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place, fresh_database() as database:
        folder = Path(place)
        (folder / "vit").mkdir()
        backbone = f"local-dir:{write_tiny_vit(folder / 'vit', 0)}"

        def start() -> Server:
            return Server.ready(
                folder / "data", backbone=backbone, database_url=url(database), history_days=1
            )

        replicas = Replicas(start, arguments.replicas)
        counts = campaign(replicas, arguments.clients, arguments.seconds, arguments.seed)
        log = (folder / "data" / "server.log").read_text()
    print(
        f"{counts.pop('queries')} queries through {arguments.replicas} replicas, each from what was"
        f" acknowledged before; {counts.pop('kills')} kills; {log.count('Traceback')} tracebacks"
    )
    for what, count in sorted(counts.items()):
        print(f"{what:24}{count:6}")


if __name__ == "__main__":
    main()
