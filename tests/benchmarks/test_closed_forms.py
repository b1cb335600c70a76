"""Closed forms behind the pooling, as the search tries them: all are maps of features."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.lite_adapter.cache import CROPS, VIEWS, read_index, write_index
from benchmarks.lite_adapter.closed_forms import CLOSED_FORMS, POOLED, Learned, drawn, read

WIDTH, IMAGES = 12, 90


@pytest.fixture
def learned() -> Learned:
    """Random features, views near them, three classes of images and five of a classifier."""
    chance = torch.Generator().manual_seed(0)
    normal = partial(torch.randn, generator=chance)
    plain, rows = torch.rand(IMAGES, WIDTH, generator=chance), normal(5, WIDTH)
    plain[0] += 9 * rows[0]  # the one that is recognised
    views = plain[:, None] + 0.1 * normal(IMAGES, VIEWS, WIDTH)
    views[:, 0] = plain
    return Learned(plain, views, torch.arange(IMAGES) % 3, rows - rows.mean(dim=0))


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_each_is_a_map_that_moves_features(name: str, learned: Learned) -> None:
    moved = CLOSED_FORMS[name](learned)(learned.plain)
    assert moved.shape == learned.plain.shape
    assert moved.isfinite().all()
    assert not torch.allclose(moved, learned.plain, atol=1e-3)


def test_what_is_not_recognised_is_not_drawn(learned: Learned) -> None:
    mean = learned.plain.mean(dim=0)
    change = drawn(learned, threshold=1.0, strength=0.5)
    logits = (learned.plain - mean) @ learned.rows.T
    still = (logits < logits.std()).all(dim=1)
    assert still.any()
    assert not still.all()
    moved = change(learned.plain) - (learned.plain - mean / 2)
    assert moved[still].abs().max() < 1e-5 < moved[~still].norm(dim=1).min()


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    write_index(tmp_path, ["a", "b"], [(tmp_path / "x", 1), (tmp_path / "y", 0)])
    kept = np.arange(2 * (1 + CROPS) * 3, dtype=np.float16).reshape(2, 1 + CROPS, 3)
    np.save(tmp_path / POOLED, kept)
    labels, classes = read_index(tmp_path)
    images = read(tmp_path, POOLED)
    assert (labels.tolist(), classes) == ([1, 0], ["a", "b"])
    found = images.view(torch.tensor([1, 0]), 1)
    torch.testing.assert_close(found, torch.from_numpy(kept[[1, 0], 1].astype(np.float32)))
