"""A short cut of ``python -m tests.campaigns.kills``: changes while the service is killed."""

from __future__ import annotations

from pathlib import Path

from tests.campaigns.kills import Campaign
from tests.service.server import Server


def test_no_change_is_made_twice_or_by_half_however_it_is_killed(tmp_path: Path, vit: str) -> None:
    campaign = Campaign(lambda: Server.ready(tmp_path, backbone=vit), seed=3)
    try:
        assert campaign.run(4)["kills"] == 4
    finally:
        campaign.server.kill()
