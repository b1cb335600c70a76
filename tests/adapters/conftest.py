"""What several tests of the science share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tiny_vit import write_tiny_vit


@pytest.fixture(scope="session")
def tiny_vit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small, randomly initialised open_clip ViT."""
    return write_tiny_vit(tmp_path_factory.mktemp("tiny-vit"))
