"""One backbone for all tests of the Python API."""

from __future__ import annotations

import pytest

import handful


@pytest.fixture(scope="session")
def backbone() -> handful.Backbone:
    return handful.load_backbone(device="cpu")
