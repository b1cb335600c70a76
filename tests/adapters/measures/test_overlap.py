"""Intra-modal overlap against reference values and against NumPy's histograms."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from adapters.measures.overlap import BINS, MAX_IMAGES, overlap

CASES = sorted((Path(__file__).parents[1] / "parity").glob("heads_*.npz"))
VIEWS = {"in_support": "out_imo_frozen", "in_support_imo": "out_imo_corrected"}


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_the_area_agrees_with_the_reference(path: Path, view: str, dtype: torch.dtype) -> None:
    with np.load(path) as vectors:
        embeddings = torch.as_tensor(vectors[view]).to(dtype)
        labels = torch.as_tensor(vectors["in_support_label"]).long()
        expected = float(vectors[VIEWS[view]])
    assert overlap(embeddings, labels).area == pytest.approx(expected, abs=1e-9, nan_ok=True)


@pytest.mark.parametrize("n", [1, 40, MAX_IMAGES])
def test_histograms_count_every_pair_once(n: int) -> None:
    rng = np.random.default_rng(n)
    rows = rng.normal(size=(n, 8))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    labels = rng.integers(0, 5, n)
    counted = overlap(torch.as_tensor(rows), torch.as_tensor(labels))
    upper = np.triu_indices(n, 1)
    similarity = (rows @ rows.T)[upper]
    same = (labels[:, None] == labels)[upper]
    for found, mask in ((counted.paired, same), (counted.unpaired, ~same)):
        expected, _ = np.histogram(similarity[mask], BINS, (-1, 1))
        assert np.abs(found.numpy() - expected).sum() <= 2  # a rounding at a border moves one pair
        assert int(found.sum()) == mask.sum()


def test_an_overlap_takes_pairs_of_both_kinds() -> None:
    rows = normalize(torch.randn(6, 4, generator=torch.Generator().manual_seed(0)), dim=1)
    assert math.isnan(overlap(rows, torch.zeros(6, dtype=torch.int64)).area)
    assert math.isnan(overlap(rows, torch.arange(6)).area)
    assert math.isnan(overlap(rows[:0], torch.arange(0)).area)


def test_classes_apart_share_nothing_and_equal_ones_all() -> None:
    apart = torch.eye(4)[[0, 0, 1, 1]]
    assert overlap(apart, torch.tensor([0, 0, 1, 1])).area == 0
    same = torch.eye(4)[[0, 0, 0, 0]]
    assert overlap(same, torch.tensor([0, 0, 1, 1])).area == 1


def test_many_images_are_sampled_evenly_over_the_classes() -> None:
    """Two classes that take turns: every second image alone would be one class."""
    generator = torch.Generator().manual_seed(1)
    labels = torch.arange(2 * MAX_IMAGES) % 2
    centres = torch.randn(2, 16, generator=generator)
    rows = normalize(centres[labels] + torch.randn(len(labels), 16, generator=generator), dim=1)
    counted = overlap(rows, labels)
    half = MAX_IMAGES // 2
    assert int(counted.unpaired.sum()) == half * half
    assert int(counted.paired.sum()) == half * (half - 1)
    few = overlap(rows[: MAX_IMAGES // 2], labels[: MAX_IMAGES // 2])
    assert counted.area == pytest.approx(few.area, abs=0.02)
