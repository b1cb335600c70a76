"""The short form of `tests/campaigns/contents.py`: two replicas, killed while they write."""

from __future__ import annotations

import pytest

from tests.campaigns.contents import run


@pytest.mark.long
def test_kills_leave_no_row_without_bytes_and_no_bytes_for_ever(
    vit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "ENDPOINT_URL", "REGION"):
        monkeypatch.setenv(f"AWS_{name}", "")  # put back as it was afterwards
    counts = run("s3", 2, 2, 1, vit)
    assert counts["kills"] == 2
    assert counts["registered"] > 0
    assert counts["looked at"] > 0
