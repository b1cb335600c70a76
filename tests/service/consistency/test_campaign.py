"""A short cut of ``python -m tests.campaigns.consistency``, and the bugs that it has to find."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from tests.campaigns.consistency.campaign import Found, run
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
