"""Replicas and nodes of Ray that are killed, and updates, under load: what is lost.

    python -m tests.campaigns.ray [--rounds 3] [--clients 4]

Two nodes beside the head, as processes of this machine, with two ingress replicas and two encoder
replicas between them; PostgreSQL; a backbone that costs next to nothing. Clients ask without a
pause, at the head's proxy, and send each query that fails again until it is answered, 60 s at most.
In each round, one after the other: an ingress replica is killed (SIGKILL), an encoder replica is,
all is updated (new replicas of both deployments), and a whole node is killed, and another one
started.

Prints for each kind how many queries were sent, how many of these failed at first, with what, and
how many were lost though they were sent again.
"""

from __future__ import annotations

import argparse
import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx2 as httpx
import psutil
import ray
from ray import serve
from ray.cluster_utils import Cluster

from service.ray.application import ENCODER, INGRESS, application
from service.ray.local_cluster import APPLICATION
from service.settings import Settings
from tests.service.client import files, of_four
from tests.service.pictures import picture
from tests.service.postgres import fresh_database, url
from tests.service.ray.ray_server import called
from tests.tiny_vit import write_tiny_vit

with socket.create_server(("127.0.0.1", 0)) as _free:
    PORT = _free.getsockname()[1]
_AGAIN, _LOST = 0.2, 60.0
_MEMORY = 200 * 2**20


@dataclass
class Counts:
    """What came of the queries of one kind of disturbance."""

    sent: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    longest: float = 0.0


class Clients:
    """Threads that ask without a pause.

    Attributes:
        kind: What is going on, for the counts.
    """

    def __init__(self, number: int) -> None:
        self.kind = "nothing"
        self.counts: dict[str, Counts] = {}
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(number)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        with httpx.Client(base_url=f"http://127.0.0.1:{PORT}", timeout=60) as http:
            while not self._over.is_set():
                begun = time.monotonic()
                failure, lost = _failure(http), False
                first, kind = failure, self.kind  # that went on when it failed
                while failure and not lost:
                    time.sleep(_AGAIN)
                    failure = _failure(http)
                    lost = time.monotonic() - begun > _LOST
                with self._lock:
                    counts = self.counts.setdefault(kind, Counts())
                    counts.sent += 1
                    counts.failed.update([first] if first else [])
                    counts.lost += bool(failure)
                    counts.longest = max(counts.longest, time.monotonic() - begun)


def _failure(http: httpx.Client) -> str:
    """How a query fails; empty if it does not."""
    try:
        answer = http.post("/v1/classifiers/a/predict", files=files(picture(1)))
    except httpx.TransportError as error:
        return type(error).__name__
    if answer.status_code != 200:
        return f"{answer.status_code} {answer.headers.get('content-type')}"
    return "" if answer.json()["predictions"][0]["label"] == "ant" else "another label"


def deploy(settings: Settings, update: int) -> None:
    """Deploy, or update what is deployed."""
    changed = settings.model_copy(update={"history_days": 30 + update})
    # With room for the new replicas beside the old ones.
    options = {"num_replicas": 2, "ray_actor_options": {"num_cpus": 0.5}}
    serve.run(application(changed, options, options), name=APPLICATION, route_prefix="/")


def replicas(deployment: str) -> list[psutil.Process]:
    """Processes of the replicas that have started."""
    name = f"ray::ServeReplica:{APPLICATION}:{deployment}"
    return [
        one for one in psutil.Process().children(recursive=True) if called(one).startswith(name)
    ]


def healthy() -> bool:
    """Whether all replicas run that are to run."""
    status = serve.status().applications[APPLICATION]
    if any(len(replicas(deployment)) != 2 for deployment in (INGRESS, ENCODER)):
        return False
    return status.status == "RUNNING" and all(
        one.status == "HEALTHY" and one.replica_states == {"RUNNING": 2}
        for one in status.deployments.values()
    )


def settle(seconds: float) -> None:
    """Wait until all is well again, and for some seconds of quiet."""
    until = time.monotonic() + 300
    time.sleep(5)  # Ray has noticed by then
    while not healthy():
        if time.monotonic() > until:
            raise RuntimeError(f"not well again: {serve.status()}")
        time.sleep(0.5)
    time.sleep(seconds)


def main() -> None:
    """Disturb, and print what was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--quiet", type=float, default=5)
    arguments = parser.parse_args()
    os.environ |= {
        "RAY_USAGE_STATS_ENABLED": "0",
        # What is disturbed here is not the proxy, however little of the machine it gets.
        "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "60",
        "RAY_SERVE_PROXY_HEALTH_CHECK_TIMEOUT_S": "60",
    }
    with TemporaryDirectory(prefix="ray-") as folder, fresh_database() as database:
        settings = Settings(
            backbone=f"local-dir:{write_tiny_vit(Path(folder))}",
            precision="float32",
            database_url=url(database),
            data_dir=Path(folder) / "data",
        )
        node: dict[str, Any] = {"num_cpus": 2, "object_store_memory": _MEMORY}
        cluster = Cluster(
            initialize_head=True,
            head_node_args={
                "num_cpus": 0,
                "object_store_memory": _MEMORY,
                "include_dashboard": False,
            },
        )
        try:
            nodes = [cluster.add_node(**node), cluster.add_node(**node)]
            ray.init(address=cluster.address, log_to_driver=False)
            serve.start(proxy_location="HeadOnly", http_options={"port": PORT})
            deploy(settings, 0)
            with httpx.Client(base_url=f"http://127.0.0.1:{PORT}", timeout=60) as http:
                of_four(http, "a")
            disturb(cluster, nodes, node, settings, arguments)
        finally:
            serve.shutdown()
            ray.shutdown()
            cluster.shutdown()


def disturb(
    cluster: Cluster,
    nodes: list[Any],
    node: dict[str, Any],
    settings: Settings,
    arguments: argparse.Namespace,
) -> None:
    """Do all of it, in rounds, while clients ask."""
    clients = Clients(arguments.clients)
    settle(arguments.quiet)

    def kill_node() -> None:
        cluster.remove_node(nodes.pop(0), allow_graceful=False)
        nodes.append(cluster.add_node(**node))

    try:
        for number in range(arguments.rounds):
            kinds: dict[str, Callable[[], None]] = {
                "ingress killed": lambda: replicas(INGRESS)[0].kill(),
                "encoder killed": lambda: replicas(ENCODER)[0].kill(),
                "update": lambda number=number: deploy(settings, number + 1),  # type: ignore[misc]
                "node killed": kill_node,
            }
            for kind, disturbance in kinds.items():
                clients.kind = kind
                begun = time.monotonic()
                disturbance()
                settle(arguments.quiet)
                print(f"{kind}: well again after {time.monotonic() - begun:.0f} s", flush=True)
    finally:
        clients.stop()
    for kind, counts in clients.counts.items():
        failed = counts.failed.total()
        print(
            f"{kind:15} {counts.sent:6} sent, {failed} failed at first"
            f" ({failed / counts.sent:.3%}; {dict(counts.failed)}), {counts.lost} lost,"
            f" longest {counts.longest:.1f} s"
        )


if __name__ == "__main__":
    main()
