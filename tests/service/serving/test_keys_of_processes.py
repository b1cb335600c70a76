"""Several processes: a revoked key stops in all of them, and they count requests together."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2 as httpx
import pytest

from service.access.limits import RateLimits
from service.access.principal import Scope
from service.storage.engine import open_database
from service.storage.keys import create_key, revoke_key
from service.storage.stored_keys import KeyTerms
from tests.service.server import Server

CONNECTIONS = 24


@pytest.mark.long
def test_keys_and_rates_of_several_processes(tmp_path: Path, vit: str) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'handful.db'}")
    read = frozenset({Scope.READ})
    key, text = create_key(engine, KeyTerms(tenant="lab", scopes=read))
    slow = KeyTerms(tenant="lab", scopes=read, rates=RateLimits(requests_per_second=20))
    _, limited = create_key(engine, slow)

    def status(client: httpx.Client, key: str) -> int:
        return client.get("/v1/classifiers", headers={"x-api-key": key}).status_code

    with (
        Server.ready(tmp_path, backbone=vit, auth="keys", processes=2) as running,
        ThreadPoolExecutor(CONNECTIONS) as pool,
    ):
        clients = [running.client() for _ in range(CONNECTIONS)]  # each with its own process
        try:
            assert set(pool.map(lambda one: status(one, text), clients)) == {200}
            # Twice as many as one bucket holds would pass if each process had its own.
            begun = time.monotonic()
            answers = list(pool.map(lambda one: status(one, limited), clients * 4))
            elapsed = time.monotonic() - begun
            assert set(answers) == {200, 429}
            assert answers.count(200) <= 20 + 20 * elapsed + 1
            revoke_key(engine, key.key_id, "lab")
            begun = time.monotonic()
            while set(pool.map(lambda one: status(one, text), clients)) != {401}:
                assert time.monotonic() - begun < 5
                time.sleep(0.05)
            _, fresh = create_key(engine, slow)
            assert 401 not in set(pool.map(lambda one: status(one, fresh), clients))
        finally:
            for client in clients:
                client.close()
        running.stop()
    engine.dispose()
    assert "Traceback" not in running.log.read_text()
