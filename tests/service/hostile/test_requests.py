"""A short cut of ``python -m tests.campaigns.requests``, and the bugs that it has to find."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.campaigns.requests import command
from tests.campaigns.requests.campaign import Found, Plan, run
from tests.campaigns.requests.memory import MIB
from tests.campaigns.requests.planted import PLANTED
from tests.campaigns.requests.service import MODES

_TOLD = {
    "not-json": "tracebacks in the log",
    "silent": "the connection ended",
    "slow": "/healthz took",
    "leak": "the service grew",
}


def ran(
    folder: Path, vit: str, mode: str, requests: int, planted: str = "", each: int = 500
) -> Found:
    plan = Plan(mode=mode, requests=requests, seed=mode, each=each, pictures=100)
    return run(plan, folder, vit, PLANTED.get(planted))


@pytest.mark.parametrize("mode", MODES)
def test_hostile_requests_are_answered_and_leave_nothing_behind(
    tmp_path: Path, vit: str, mode: str
) -> None:
    found = ran(tmp_path, vit, mode, 700)
    assert found.faults == []
    assert found.tally.sent.total() == 700
    assert min(found.tally.answers[one] for one in (200, 400, 404, 422)) > 20
    assert len(found.memory) == 2


def test_a_bug_that_is_planted_is_found(tmp_path: Path, vit: str) -> None:
    found = ran(tmp_path, vit, "open", 1000, "not-json")
    assert any(_TOLD["not-json"] in one.what for one in found.faults), found.faults
    assert any("answered with 500" in one.what and b"webhook" in one.sent for one in found.faults)


@pytest.mark.long
@pytest.mark.parametrize("planted", sorted(set(PLANTED) - {"not-json"}))
def test_each_bug_that_is_planted_is_found(tmp_path: Path, vit: str, planted: str) -> None:
    found = ran(tmp_path, vit, "open", 3000, planted, each=150)
    assert any(_TOLD[planted] in one.what for one in found.faults), found.faults


def test_a_batch_is_done_for_runs_of_its_size_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes: list[int] = []

    def ran(plan: Plan, *_: object) -> Found:
        sizes.append(plan.requests)
        return Found(health=0.9, health_own=0.4, memory=[5 * MIB])

    monkeypatch.setattr(command, "run", ran)
    for requests in ("10", "150000", "100000"):
        arguments = ["requests", "--log", str(tmp_path), "--requests", requests]
        monkeypatch.setattr(sys, "argv", arguments)
        assert command.main() == 0
    assert sizes == [10, 50_000, 50_000, 50_000]
    told = capsys.readouterr().out
    assert "grown at most: not measured" in told
    assert "slowest /healthz: 0.9 s, without waits of its event loop for a processor 0.4 s" in told


def test_all_that_is_planted_is_tried() -> None:
    assert set(_TOLD) == set(PLANTED)
