"""One small backbone for all tests of estimators."""

from __future__ import annotations

import pytest

from tests.tiny_vit import write_tiny_vit


@pytest.fixture(scope="session")
def tiny_vit(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a backbone whose passes take little time."""
    return f"local-dir:{write_tiny_vit(tmp_path_factory.mktemp('tiny_vit'))}"
