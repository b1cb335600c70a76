"""Kernel ridge regression against its equation, refits without each image, and changes."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import normalize, one_hot

from adapters import kernel_ridge
from adapters.kernel_ridge import RIDGE, KernelRidge, chosen_images

shots_of_classes = st.lists(st.integers(1, 5), min_size=2, max_size=5)
seeds = st.integers(0, 1000)


def drawn(shots: list[int], seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    columns = torch.repeat_interleave(torch.arange(len(shots)), torch.tensor(shots))
    columns = columns[torch.randperm(len(columns), generator=generator)]
    images = torch.randn(len(columns), 12, generator=generator, dtype=torch.float64)
    return normalize(images, dim=1), columns


def fitted(images: Tensor, columns: Tensor) -> KernelRidge:
    labels = 10 * torch.arange(int(columns.max()) + 1)
    return KernelRidge.fit(images, columns, labels, torch.arange(len(images)))


def equation(keys: Tensor, columns: Tensor, queries: Tensor, weights: Tensor, n: int) -> Tensor:
    """``K_q (K + λD)⁻¹ (Y − 1/N)``, D given."""
    targets = one_hot(columns, n).double() - 1 / n
    return queries @ keys.T @ torch.linalg.solve(keys @ keys.T + torch.diag(weights), targets)


def centred(images: Tensor, columns: Tensor, queries: Tensor) -> tuple[Tensor, Tensor]:
    n = int(columns.max()) + 1
    centre = torch.stack([images[columns == c].mean(dim=0) for c in range(n)]).mean(dim=0)
    return normalize(images - centre, dim=1), normalize(queries - centre, dim=1)


def strengths(columns: Tensor) -> Tensor:
    shots = torch.bincount(columns).double()
    return RIDGE * (shots / shots.mean())[columns]


@settings(max_examples=40, deadline=None)
@given(shots=shots_of_classes, seed=seeds)
def test_scores_are_the_equation(shots: list[int], seed: int) -> None:
    images, columns = drawn(shots, seed)
    queries = drawn([4, 4], seed + 1)[0]
    keys, asked = centred(images, columns, queries)
    ridge = fitted(images, columns)
    unit = 1 + RIDGE * len(shots) / len(columns)
    expected = unit * equation(keys, columns, asked, strengths(columns), len(shots))
    torch.testing.assert_close(ridge.scores(queries), expected, rtol=1e-8, atol=1e-8)
    assert ridge.unit == pytest.approx(unit)


@settings(max_examples=40, deadline=None)
@given(shots=shots_of_classes, seed=seeds)
def test_left_out_is_a_refit_without_the_image_whose_class_is_restored(
    shots: list[int], seed: int
) -> None:
    images, columns = drawn(shots, seed)
    ridge = fitted(images, columns)
    keys, _ = centred(images, columns, images)
    actual = ridge.left_out(images, torch.arange(len(images)))
    for i in range(len(images)):
        others = torch.arange(len(images)) != i
        weights = strengths(columns)
        own = columns == columns[i]
        weights[own] *= (int(own.sum()) - 1) / int(own.sum())
        expected = equation(
            keys[others], columns[others], keys[i : i + 1], weights[others], len(shots)
        )
        torch.testing.assert_close(actual[i], ridge.unit * expected[0], rtol=1e-6, atol=1e-6)


def test_an_image_like_no_other_scores_one_for_its_class() -> None:
    images = torch.eye(40, dtype=torch.float64)
    scores = fitted(images, torch.arange(40)).scores(images)
    assert scores.diagonal().tolist() == pytest.approx([1.0] * 40, abs=0.06)


@settings(max_examples=40, deadline=None)
@given(shots=shots_of_classes, seed=seeds, data=st.data())
def test_images_that_come_and_go_are_followed(
    shots: list[int], seed: int, data: st.DataObject
) -> None:
    images, columns = drawn([n + 1 for n in shots], seed)
    ridge = fitted(images, columns)
    gone = data.draw(st.sets(st.integers(0, len(images) - 1), max_size=len(images) // 3))
    stay = torch.tensor([i not in gone for i in range(len(images))])
    if len(columns[stay].unique()) < len(shots):
        return
    more, of_more = drawn([2] * len(shots), seed + 7)
    moved = ridge.moved(
        torch.tensor(sorted(gone), dtype=torch.int64),
        more,
        ridge.labels[of_more],
        1000 + torch.arange(len(more)),
    )
    assert moved is not None
    keys = torch.cat([ridge.keys[stay], normalize(more - ridge.centre, dim=1)])
    every = torch.cat([columns[stay], of_more])
    weights = strengths(columns)
    of_class = torch.zeros(len(shots), dtype=torch.float64)
    of_class[columns] = weights
    expected = ridge.unit * equation(keys, every, keys, of_class[every], len(shots))
    actual = moved.scores(torch.cat([images[stay], more]))
    torch.testing.assert_close(actual, expected, rtol=1e-6, atol=1e-6)
    assert moved.ids.tolist() == [
        *torch.arange(len(images))[stay].tolist(),
        *range(1000, 1000 + len(more)),
    ]


def test_a_class_that_loses_all_its_images_in_the_kernel_asks_for_a_fit() -> None:
    images, columns = drawn([3, 3], 1)
    ridge = fitted(images, columns)
    gone = (columns == 1).nonzero().flatten()
    none = torch.empty(0, dtype=torch.int64)
    assert ridge.moved(gone, images[:0], none, none) is None


def test_of_very_many_images_each_class_gives_as_many(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = torch.tensor([0] * 50 + [1] * 3 + [2] * 20)
    chosen = chosen_images(columns, 3, most=24)
    assert torch.bincount(columns[chosen]).tolist() == [10, 3, 10]
    assert torch.equal(chosen, chosen.sort().values)
    monkeypatch.setattr(kernel_ridge, "MOST_IMAGES", 8)
    images, columns = drawn([6, 6], 3)
    ridge = KernelRidge.fit(images, columns, torch.arange(2), torch.arange(12))
    scores = ridge.left_out(images, torch.arange(12))
    outside = ~torch.isin(torch.arange(12), ridge.ids)
    assert int(outside.sum()) == 4
    torch.testing.assert_close(scores[outside], ridge.scores(images[outside]))


def test_of_very_many_classes_each_is_its_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_ridge, "MOST_IMAGES", 5)
    images, columns = drawn([2, 3, 4], 2)
    ridge = fitted(images, columns)
    assert ridge.inverse is None
    keys, _ = centred(images, columns, images)
    means = normalize(torch.stack([keys[columns == c].sum(dim=0) for c in range(3)]), dim=1)
    torch.testing.assert_close(ridge.scores(images), keys @ means.T)
    left = ridge.left_out(images, torch.arange(len(images)))
    for i in range(len(images)):
        others = (columns == columns[i]) & (torch.arange(len(images)) != i)
        own = normalize(keys[others].sum(dim=0), dim=0) @ keys[i]
        assert left[i, columns[i]] == pytest.approx(float(own))


def test_images_that_are_all_alike_are_finite() -> None:
    images = torch.ones(6, 4, dtype=torch.float64) / 2
    ridge = fitted(images, torch.tensor([0, 0, 1, 1, 2, 2]))
    assert bool(ridge.scores(images).isfinite().all())
    assert bool(ridge.left_out(images, torch.arange(6)).isfinite().all())
