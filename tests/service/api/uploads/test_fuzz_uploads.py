"""A short cut of the campaign of mutated zips and forms (tests/campaigns/uploads.py)."""

from __future__ import annotations

import pytest

from tests.campaigns.uploads import attack
from tests.service.server import Server


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_mutated_zips_and_forms_are_taken_or_refused_and_nothing_else(server: Server) -> None:
    outcome = attack(server, 100, seed=2026)
    assert not outcome.failures
    assert sum(outcome.answers.values()) == 100
    assert {"zip 201", "zip 422", "form 201", "form 422"} <= outcome.answers.keys()
