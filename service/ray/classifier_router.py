"""Request router: a classifier's requests go to the replica that has it in memory."""

from __future__ import annotations

import pickle
import random
import re
from math import ceil
from typing import Any

from ray.serve.experimental.consistent_hash_router import ConsistentHashRouter
from ray.serve.request_router import PendingRequest, RunningReplica

_CLASSIFIER = re.compile(r"/v1/classifiers/([^/]+)")  # behind a path of a reverse proxy, too
# A replica is passed over that has more than so many times the requests of an average one, and more
# than so many.
_BOUND, _FEW = 1.25, 4
# Replicas whose average is taken, where there are more.
_SAMPLE = 16
# Replicas after the first that are tried one after the other.
_NEXT = 3


class ClassifierRouter(ConsistentHashRouter):  # type: ignore[misc]  # of Ray
    """Consistent hashing of classifiers with bounded loads (Mirrokni et al., SODA 2018).

    Each classifier has a replica, and others in an order of its own for when that one has more to
    do than its share: so one that all ask for is soon in the memory of several, and the others
    stay with one. Nothing has to be told to anybody: each of Ray's proxies computes the same from
    the replicas that live. Who they are changes where one in n classifiers belongs. What names no
    classifier goes anywhere.

    Names of tenants are hidden in their keys, so classifiers of one name go to one replica,
    whosever they are.
    """

    def initialize_state(self, **_: Any) -> None:
        """Set it up; it has no options."""
        super().initialize_state(num_fallback_replicas=_NEXT)

    async def choose_replicas(
        self,
        candidate_replicas: list[RunningReplica],
        pending_request: PendingRequest | None = None,
    ) -> list[list[RunningReplica]]:
        """The classifier's replicas in its order, those with more than their share last."""
        ranks = await super().choose_replicas(candidate_replicas, pending_request)
        asked = self._replicas_list
        if len(asked) > _SAMPLE:
            asked = random.sample(asked, _SAMPLE)
        loads = [self._load(replica) for replica in asked]
        bound = max(_FEW, ceil(_BOUND * sum(loads) / max(1, len(loads))))
        return sorted(ranks, key=lambda rank: self._load(rank[0]) >= bound)  # stable

    def _routing_key(self, pending_request: PendingRequest | None) -> str | None:
        if pending_request is not None and (name := _classifier_of(pending_request)) is not None:
            return name
        key: str | None = super()._routing_key(pending_request)
        return key

    def _load(self, replica: RunningReplica) -> int:
        """Requests that a replica works on, as it said last."""
        return self._replica_queue_len_cache.get(replica.replica_id) or 0


def _classifier_of(request: PendingRequest) -> str | None:
    """The name in the path of an HTTP request; None where there is none."""
    if not request.args or not isinstance(request.args[0], bytes):
        return None
    scope = pickle.loads(request.args[0])._asgi_scope  # noqa: S301, made by this proxy
    found = _CLASSIFIER.search(scope["path"])
    return found and found[1]
