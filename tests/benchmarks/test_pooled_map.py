"""A map behind the pooling of `lite`: what it weighs."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from benchmarks.lite_adapter.pooled_map import MapSettings, pooled_map

CLASSES, WIDTH = 6, 16
FULL = MapSettings(rank=WIDTH)
NOTHING = MapSettings(centring=0, views=1e9, power=0, rank=WIDTH)


def made(seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Features, those of other views that differ most in the first channel, a classifier."""
    chance = torch.Generator().manual_seed(seed)
    plain = torch.rand(300, WIDTH, generator=chance)
    apart = 0.1 * torch.randn(300, WIDTH, generator=chance)
    apart[:, 0] *= 20
    return plain, plain + apart, torch.randn(CLASSES, WIDTH, generator=chance)


@settings(deadline=None)
@given(st.integers(0, 50))
def test_where_nothing_is_asked_for_features_stay(seed: int) -> None:
    plain, view, classifier = made(seed)
    found = pooled_map(plain, view, classifier, NOTHING)
    torch.testing.assert_close(found(plain), plain, atol=1e-3, rtol=1e-3)


@settings(deadline=None)
@given(st.integers(0, 50), st.floats(0, 1))
def test_images_lose_the_part_of_the_mean(seed: int, part: float) -> None:
    plain, view, classifier = made(seed)
    found = pooled_map(plain, view, classifier, MapSettings(centring=part, rank=WIDTH))
    mean = plain.mean(dim=0)
    torch.testing.assert_close(found(part * mean), torch.zeros(WIDTH), atol=1e-4, rtol=0)


@settings(deadline=None)
@given(st.integers(0, 50))
def test_directions_in_which_views_differ_count_less(seed: int) -> None:
    plain, view, classifier = made(seed)
    found = pooled_map(plain, view, classifier, MapSettings(power=0, rank=WIDTH))
    lengths = (found(torch.eye(WIDTH)) - found(torch.zeros(WIDTH))).norm(dim=1)
    assert lengths[0] < 0.6 * lengths[1:].min()


@settings(deadline=None)
@given(st.integers(0, 50))
def test_directions_of_the_classifier_count_more(seed: int) -> None:
    plain, view, classifier = made(seed)
    found = pooled_map(plain, view, classifier, MapSettings(views=1e9, power=0.5, rank=WIDTH))
    rows = classifier - classifier.mean(dim=0)
    across = torch.linalg.svd(rows)[2]
    lengths = (found(across) - found(torch.zeros(WIDTH))).norm(dim=1)
    # Six rows less their mean span five directions; the first is that of their greatest spread.
    assert lengths[0] > 1.2 * lengths[CLASSES:].max()


@settings(deadline=None)
@given(st.floats(0.1, 10))
def test_the_units_of_features_do_not_matter(unit: float) -> None:
    plain, view, classifier = made(1)
    expected = unit * pooled_map(plain, view, classifier, FULL)(plain)
    found = pooled_map(unit * plain, unit * view, classifier, FULL)(unit * plain)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3 * unit)


def test_the_rank_is_that_of_the_settings() -> None:
    found = pooled_map(*made(0), MapSettings(rank=3))
    assert (found.down.shape, found.up.shape) == ((3, WIDTH), (WIDTH, 3))
    plain, view, classifier = made(0)
    whole = pooled_map(plain, view, classifier, FULL)
    assert (found(plain) - whole(plain)).norm() < (plain - whole(plain)).norm()


def test_views_that_do_not_differ_are_refused() -> None:
    plain, _, classifier = made(0)
    with pytest.raises(ValueError, match="do not differ"):
        pooled_map(plain, plain, classifier)
