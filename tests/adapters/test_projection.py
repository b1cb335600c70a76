"""Projection of embeddings: principal components by their definition, whatever the embeddings."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import normalize

from adapters.embeddings import ImageEmbeddings
from adapters.projection import projected

SEEDS = st.integers(0, 10**6)
SIZES = st.integers(0, 30)
WIDTHS = st.integers(1, 12)


def unit(n: int, width: int, seed: int) -> Tensor:
    """Unit vectors, of which some may be copies."""
    generator = torch.Generator().manual_seed(seed)
    rows = normalize(torch.randn(n, width, generator=generator), dim=1)
    return rows[torch.randint(0, n, (n,), generator=generator)] if n and seed % 2 else rows


@given(SIZES, WIDTHS, WIDTHS, SEEDS)
@settings(max_examples=150, deadline=None)
def test_points_are_finite_centred_on_one_scale_and_the_same_each_time(
    n: int, width: int, other: int, seed: int
) -> None:
    embeddings = ImageEmbeddings(unit(n, width, seed), unit(n, other, seed + 1))
    planes = projected(embeddings)
    for plane in planes:
        assert plane.points.shape == (n, 2)
        assert plane.points.isfinite().all()
        assert plane.points.mean(dim=0).abs().max() < 1e-5 if n else True
        assert all(0 <= share <= 1 for share in plane.explained)
        assert sum(plane.explained) < 1 + 1e-9
    reached = [float(plane.points.norm(dim=1).max()) if n else 0.0 for plane in planes]
    assert max(reached) == pytest.approx(1) or max(reached) == 0
    for one, again in zip(planes, projected(embeddings), strict=True):
        assert torch.equal(one.points, again.points)
        assert one.explained == again.explained


@given(st.integers(3, 30), st.integers(3, 12), SEEDS)
@settings(max_examples=100, deadline=None)
def test_frozen_points_are_the_first_two_principal_components(
    n: int, width: int, seed: int
) -> None:
    rows = unit(n, width, 2 * seed)
    plane, _ = projected(ImageEmbeddings(rows, unit(n, width, 2 * seed + 2)))
    centred = (rows.double() - rows.double().mean(dim=0)).numpy()
    singular = np.linalg.svd(centred, compute_uv=False)
    shares = singular**2 / (singular**2).sum()
    assert plane.explained == pytest.approx(tuple(shares[:2]), abs=1e-9)
    spread = plane.points.norm(dim=0).numpy()
    assert spread[0] >= spread[1] - 1e-9
    assert spread[1] / spread[0] == pytest.approx(singular[1] / singular[0], abs=1e-6)


@given(st.integers(3, 30), st.integers(2, 12), SEEDS, st.floats(0, 2 * np.pi), st.booleans())
@settings(max_examples=100, deadline=None)
def test_the_corrected_points_lie_as_near_to_the_frozen_ones_as_any_turn_brings_them(
    n: int, width: int, seed: int, angle: float, mirrored: bool
) -> None:
    before, after = projected(
        ImageEmbeddings(unit(n, width, 2 * seed), unit(n, width, 2 * seed + 2))
    )
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    if mirrored:
        turn = turn @ np.diag([1, -1])
    distance = float((after.points - before.points).norm())
    assert distance <= float((after.points @ torch.from_numpy(turn) - before.points).norm()) + 1e-9


@given(st.integers(2, 30), st.integers(3, 12), SEEDS)
@settings(max_examples=50, deadline=None)
def test_a_correction_that_only_turns_all_moves_no_point(n: int, width: int, seed: int) -> None:
    rows = unit(n, width, 2 * seed)
    generator = torch.Generator().manual_seed(seed)
    turn = torch.linalg.qr(torch.randn(width, width, generator=generator).double()).Q
    before, after = projected(ImageEmbeddings(rows.double(), rows.double() @ turn))
    shares = before.explained
    if shares[0] - shares[1] > 1e-3 and shares[1] > 1e-3:  # otherwise any axis is as good
        third = 1 - sum(shares)
        if width == 3 and abs(shares[1] - third) < 1e-3:
            return
        assert torch.allclose(before.points.norm(dim=0), after.points.norm(dim=0), atol=1e-4)


def test_one_embedding_twice_has_the_same_points_twice() -> None:
    rows = unit(20, 6, 2)
    before, after = projected(ImageEmbeddings(rows, rows.clone()))
    assert torch.equal(before.points, after.points)
    assert before.explained == after.explained


@pytest.mark.parametrize("n", [0, 1, 2, 50])
def test_images_that_are_all_the_same_are_one_point(n: int) -> None:
    rows = unit(1, 512, 4).expand(n, 512)
    before, after = projected(ImageEmbeddings(rows, unit(1, 512, 6).expand(n, 512)))
    for plane in (before, after):
        assert plane.points.abs().max() == 0 if n else len(plane.points) == 0
        assert plane.explained == (0.0, 0.0)
