"""A short cut of ``python -m tests.campaigns.requests``, and the bugs that it has to find."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.campaigns.requests.campaign import Found, Plan, run
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


def test_all_that_is_planted_is_tried() -> None:
    assert set(_TOLD) == set(PLANTED)
