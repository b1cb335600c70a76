"""Which images are near-duplicates of others, and when they are left out of the tuning."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from torch import Tensor
from torch.nn.functional import normalize

from adapters.embeddings import ImageEmbeddings, SupportSet
from adapters.tuning import near_duplicates
from adapters.tuning.near_duplicates import without_near_duplicates
from tests.adapters.synthetic import generator, make_task

# Of the embedding: wide enough that different photos are never close by chance.
WIDTH = 256


def photos(shots: list[int], copies: list[int], seed: int = 0, jitter: float = 0.2) -> SupportSet:
    """Photos of each class; copy j of every photo of the class follows after all of its photos.

    Identifiers: a photo's is 100 times its number, and that of its copies 1, 2, … more.
    """
    rng = generator(seed)
    keys, labels, ids = [], [], []
    number = 0
    for c, (n, m) in enumerate(zip(shots, copies, strict=True)):
        taken = torch.randn(n, WIDTH, generator=rng)
        for j in range(m):
            moved = taken + (jitter if j else 0) * torch.randn(n, WIDTH, generator=rng)
            keys.append(moved)
            labels += [c] * n
            ids += [100 * (number + i) + j for i in range(n)]
        number += n
    corrected = normalize(torch.cat(keys), dim=1)
    return SupportSet(
        torch.tensor(ids), torch.tensor(labels), ImageEmbeddings(corrected.flip(1), corrected)
    )


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
    assert without_near_duplicates(support) is support


def test_the_same_photo_in_two_classes_is_no_copy() -> None:
    one, other = photos([5], [1]), photos([5], [1])
    both = one.with_added(SupportSet(other.ids + 1, other.labels + 1, other.embeddings))
    assert torch.equal(near_duplicates.near_duplicates(both), torch.arange(10))


def test_single_images_and_pairs_are_left_alone() -> None:
    support = photos([1, 1], [2, 1], jitter=0.0)  # a pair of the very same photo
    assert torch.equal(near_duplicates.near_duplicates(support), torch.arange(3))
    assert without_near_duplicates(support) is support


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("n", [3, 4, 9])
def test_of_the_very_same_photo_one_is_kept(n: int, seed: int) -> None:
    support = photos([1], [n], seed, jitter=0.0)
    assert without_near_duplicates(support).ids.tolist() == [0]


def test_the_first_of_near_duplicates_is_kept_in_the_order_of_the_set() -> None:
    support = photos([6, 4], [3, 3])
    order = torch.randperm(len(support), generator=generator(1))
    shuffled = support[order]
    kept = without_near_duplicates(shuffled)
    first: dict[int, int] = {}
    for i in shuffled.ids.tolist():
        first.setdefault(i // 100, i)
    assert kept.ids.tolist() == list(first.values())
    rows = torch.isin(shuffled.ids, kept.ids)
    assert torch.equal(kept.embeddings.corrected, shuffled.embeddings.corrected[rows])
    assert torch.equal(kept.labels, shuffled.labels[rows])


def test_the_corrected_embedding_decides() -> None:
    support = photos([6], [3])
    unrelated = normalize(torch.randn(18, WIDTH, generator=generator(9)), dim=1)
    swapped = SupportSet(
        support.ids, support.labels, ImageEmbeddings(support.embeddings.corrected, unrelated)
    )
    assert len(without_near_duplicates(support)) == 6
    assert without_near_duplicates(swapped) is swapped


@pytest.mark.parametrize(("photos_beside", "thinned"), [(6, True), (7, False)])
def test_near_duplicates_are_thinned_from_a_quarter_of_the_images_on(
    photos_beside: int, thinned: bool
) -> None:
    # One pair of copies among six or seven others: 2 of 8, 2 of 9.
    support = photos([1 + photos_beside], [1])
    copy = support[:1]
    support = support.with_added(SupportSet(copy.ids + 1, copy.labels, copy.embeddings))
    assert int((near_duplicates.near_duplicates(support) != torch.arange(len(support))).sum()) == 1
    expected = support[:-1] if thinned else support
    assert torch.equal(without_near_duplicates(support).ids, expected.ids)


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
    assert without_near_duplicates(empty) is empty


@settings(max_examples=40, deadline=None)
@given(
    shots=st.lists(st.integers(0, 8), min_size=1, max_size=4),
    seed=st.integers(0, 1000),
    repeats=st.integers(1, 3),
)
def test_thinning_loses_no_class_and_names_no_copy_as_an_original(
    shots: list[int], seed: int, repeats: int
) -> None:
    task = make_task(shots, seed)
    support = task.support
    for k in range(1, repeats):
        again = SupportSet(task.support.ids + k, task.support.labels, task.support.embeddings)
        support = support.with_added(again)
    original = near_duplicates.near_duplicates(support)
    assert torch.equal(original[original], original)
    assert bool((original <= torch.arange(len(support))).all())
    assert torch.equal(support.labels[original], support.labels)
    kept = without_near_duplicates(support)
    assert torch.equal(kept.labels.unique(), support.labels.unique())
