"""Which images are near-duplicates of others."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from torch import Tensor

from adapters.embeddings import SupportSet
from adapters.tuning import near_duplicates
from tests.adapters.synthetic import make_task, photos


def originals(support: SupportSet) -> Tensor:
    return support.ids[near_duplicates.near_duplicates(support)]


@pytest.mark.parametrize("seed", range(5))
def test_copies_name_the_photo_they_are_copies_of(seed: int) -> None:
    support = photos([6, 4, 3], [4, 2, 3], seed)
    assert torch.equal(originals(support), support.ids // 100 * 100)


@pytest.mark.parametrize("seed", range(5))
def test_different_photos_are_no_copies(seed: int) -> None:
    support = photos([10, 3, 20], [1, 1, 1], seed)
    assert torch.equal(near_duplicates.near_duplicates(support), torch.arange(33))


def test_the_same_photo_in_two_classes_is_no_copy() -> None:
    one, other = photos([5], [1]), photos([5], [1])
    both = one.with_added(SupportSet(other.ids + 1, other.labels + 1, other.embeddings))
    assert torch.equal(near_duplicates.near_duplicates(both), torch.arange(10))


def test_single_images_and_pairs_are_left_alone() -> None:
    support = photos([1, 1], [2, 1], jitter=0.0)  # a pair of the very same photo
    assert torch.equal(near_duplicates.near_duplicates(support), torch.arange(3))


def test_large_classes_are_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near_duplicates, "MAX_IMAGES", 10)
    support = photos([6, 4], [2, 2])  # 12 and 8 images
    of_large = support.labels == 0
    original = near_duplicates.near_duplicates(support)
    assert torch.equal(original[of_large], torch.arange(20)[of_large])
    assert int((original != torch.arange(20)).sum()) == 4


def test_no_images_are_no_near_duplicates() -> None:
    empty = SupportSet.empty(8, 8)
    assert len(near_duplicates.near_duplicates(empty)) == 0


@settings(max_examples=40, deadline=None)
@given(
    shots=st.lists(st.integers(0, 8), min_size=1, max_size=4),
    seed=st.integers(0, 1000),
    repeats=st.integers(1, 3),
)
def test_no_copy_is_named_as_an_original(shots: list[int], seed: int, repeats: int) -> None:
    task = make_task(shots, seed)
    support = task.support
    for k in range(1, repeats):
        again = SupportSet(task.support.ids + k, task.support.labels, task.support.embeddings)
        support = support.with_added(again)
    original = near_duplicates.near_duplicates(support)
    assert torch.equal(original[original], original)
    assert bool((original <= torch.arange(len(support))).all())
    assert torch.equal(support.labels[original], support.labels)
