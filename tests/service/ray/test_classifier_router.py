"""Which replica a request goes to."""

from __future__ import annotations

import asyncio
import pickle
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("ray", reason="handful[ray] is not installed")

from ray.serve._private.common import (
    DeploymentHandleSource,
    DeploymentID,
    ReplicaID,
    RequestMetadata,
    StreamingHTTPRequest,
)
from ray.serve.request_router import PendingRequest

from service.ray.classifier_router import ClassifierRouter

OF = DeploymentID("Ingress", "handful")


class Replica:
    """As much of one as a router asks of it."""

    def __init__(self, name: str) -> None:
        self.replica_id = ReplicaID(name, OF)
        self.max_ongoing_requests = 100
        self.multiplexed_model_ids: set[str] = set()
        self.node_id, self.availability_zone = "node", None
        self.actor_id = SimpleNamespace(hex=lambda: name)

    async def get_queue_len(self, *, deadline_s: float) -> int:
        assert deadline_s > 0
        return 0


def router(*names: str) -> ClassifierRouter:
    made = ClassifierRouter(
        deployment_id=OF,
        handle_source=DeploymentHandleSource.REPLICA,
        self_actor_id="proxy",
        use_replica_queue_len_cache=True,
    )
    made.initialize_state()
    made.update_replicas([Replica(name) for name in names])
    return made


def asked(path: str, number: int = 0) -> PendingRequest:
    scope = {"type": "http", "path": path, "headers": []}
    request = pickle.dumps(StreamingHTTPRequest(scope, proxy_actor_name="proxy"))
    metadata = RequestMetadata(f"r{number}", f"i{number}")
    return PendingRequest([request], {}, metadata)


async def ranked(of: ClassifierRouter, path: str, number: int = 0) -> list[str]:
    ranks: list[list[Any]] = await of.choose_replicas(
        list(of.curr_replicas.values()), asked(path, number)
    )
    return [one.replica_id.unique_id for [one] in ranks]


def predict(name: str) -> str:
    return f"/v1/classifiers/{name}/predict"


def test_a_classifier_has_a_replica_whatever_it_is_asked_and_by_whichever_proxy() -> None:
    async def check() -> None:
        one, other = router("a", "b", "c", "d"), router("d", "c", "b", "a")
        first: Counter[str] = Counter()
        for number in range(400):
            order = await ranked(one, predict(f"c{number}"))
            assert order == await ranked(other, f"/v1/classifiers/c{number}", number)
            assert len(order) == len(set(order)) == 4
            first[order[0]] += 1
        assert min(first.values()) > 50, first

    asyncio.run(check())


def test_few_classifiers_move_when_a_replica_goes() -> None:
    async def check() -> None:
        before, after = router("a", "b", "c", "d"), router("a", "b", "c")
        for number in range(100):
            was = (await ranked(before, predict(f"c{number}")))[0]
            now = (await ranked(after, predict(f"c{number}")))[0]
            assert was in ("d", now)

    asyncio.run(check())


def test_a_replica_with_more_than_its_share_is_passed_over() -> None:
    async def check() -> None:
        one = router("a", "b", "c")
        first, second, third = await ranked(one, predict("x"))
        queues = one._replica_queue_len_cache
        for replica, load in zip((first, second, third), (3, 0, 0), strict=True):
            queues.update(ReplicaID(replica, OF), load)
        assert await ranked(one, predict("x")) == [first, second, third]  # few is never too many
        queues.update(ReplicaID(first, OF), 30)
        assert await ranked(one, predict("x")) == [second, third, first]
        queues.update(ReplicaID(second, OF), 28)
        queues.update(ReplicaID(third, OF), 27)
        assert await ranked(one, predict("x")) == [first, second, third]  # all have as much

    asyncio.run(check())


def test_what_names_no_classifier_goes_anywhere() -> None:
    async def check() -> None:
        one = router("a", "b", "c")
        for path in ("/readyz", "/v1/classifiers", "/v1/classifiers/", "/v1/embeddings"):
            found = {(await ranked(one, path, number))[0] for number in range(60)}
            assert found == {"a", "b", "c"}

    asyncio.run(check())
