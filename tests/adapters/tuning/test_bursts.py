"""Which images are taken for bursts, and that one of each takes part in the tuning."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from torch.nn.functional import normalize

from adapters.embeddings import ImageEmbeddings, SupportSet
from adapters.tuning import near_duplicates
from adapters.tuning.bursts import bursts, one_of_each_burst
from tests.adapters.synthetic import PHOTO_WIDTH, generator, make_task, photos


def with_copies_of(support: SupportSet, n: int) -> SupportSet:
    """The first n images once more, at the end."""
    copies = support[:n]
    return support.with_added(SupportSet(copies.ids + 1, copies.labels, copies.embeddings))


@pytest.mark.parametrize("jitter", [0.0, 0.2, 0.6])
@pytest.mark.parametrize("seed", range(5))
def test_images_of_a_burst_name_its_first(seed: int, jitter: float) -> None:
    support = photos([6, 4, 3], [4, 2, 3], seed, jitter)
    assert torch.equal(support.ids[bursts(support)], support.ids // 100 * 100)


@pytest.mark.parametrize("seed", range(5))
def test_different_photos_are_no_burst(seed: int) -> None:
    support = photos([10, 3, 20, 2, 1], [1, 1, 1, 1, 1], seed)
    assert torch.equal(bursts(support), torch.arange(36))
    assert one_of_each_burst(support) is support


def test_pairs_are_left_alone() -> None:
    support = photos([1, 1], [2, 1], jitter=0.0)  # a pair of the very same photo
    assert torch.equal(bursts(support), torch.arange(3))
    assert one_of_each_burst(support) is support


def test_the_same_photo_in_two_classes_is_no_burst() -> None:
    one, other = photos([5], [1]), photos([5], [1])
    both = one.with_added(SupportSet(other.ids + 1, other.labels + 1, other.embeddings))
    assert torch.equal(bursts(both), torch.arange(10))


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("n", [3, 4, 9])
def test_of_the_very_same_photo_one_takes_part(n: int, seed: int) -> None:
    support = photos([1], [n], seed, jitter=0.0)
    assert one_of_each_burst(support).ids.tolist() == [0]


def test_the_first_of_each_takes_part_in_the_order_of_the_set() -> None:
    support = photos([6, 4], [3, 3])
    order = torch.randperm(len(support), generator=generator(1))
    shuffled = support[order]
    kept = one_of_each_burst(shuffled)
    first: dict[int, int] = {}
    for i in shuffled.ids.tolist():
        first.setdefault(i // 100, i)
    assert kept.ids.tolist() == list(first.values())
    rows = torch.isin(shuffled.ids, kept.ids)
    assert torch.equal(kept.embeddings.corrected, shuffled.embeddings.corrected[rows])
    assert torch.equal(kept.labels, shuffled.labels[rows])


def test_the_corrected_embedding_decides() -> None:
    support = photos([6], [3])
    unrelated = normalize(torch.randn(18, PHOTO_WIDTH, generator=generator(9)), dim=1)
    swapped = SupportSet(
        support.ids, support.labels, ImageEmbeddings(support.embeddings.corrected, unrelated)
    )
    assert len(one_of_each_burst(support)) == 6
    assert one_of_each_burst(swapped) is swapped


@pytest.mark.parametrize(("photos_beside", "thinned"), [(8, True), (9, False)])
def test_a_few_that_are_close_are_chance(photos_beside: int, thinned: bool) -> None:
    # One pair of copies among eight or nine others: 2 of 10, 2 of 11.
    support = with_copies_of(photos([1 + photos_beside], [1]), 1)
    expected = support[:-1] if thinned else support
    assert torch.equal(one_of_each_burst(support).ids, expected.ids)


def test_where_there_are_bursts_what_is_nearly_as_close_belongs_to_them() -> None:
    close, less_close = photos([4], [3], jitter=0.2), photos([4], [2], seed=1, jitter=1.9)
    assert one_of_each_burst(less_close) is less_close
    both = close.with_added(
        SupportSet(less_close.ids + 1000, less_close.labels, less_close.embeddings)
    )
    first = both.ids[bursts(both)]
    assert torch.equal(first, both.ids // 100 * 100)


def test_large_classes_are_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near_duplicates, "MAX_IMAGES", 10)
    support = photos([6, 4], [2, 2])  # 12 and 8 images
    first = bursts(support)
    of_large = support.labels == 0
    assert torch.equal(first[of_large], torch.arange(20)[of_large])
    assert int((first != torch.arange(20)).sum()) == 4


def test_no_images_are_no_bursts() -> None:
    empty = SupportSet.empty(8, 8)
    assert len(bursts(empty)) == 0
    assert one_of_each_burst(empty) is empty


@settings(max_examples=40, deadline=None)
@given(
    shots=st.lists(st.integers(0, 8), min_size=1, max_size=4),
    seed=st.integers(0, 1000),
    repeats=st.integers(1, 3),
)
def test_no_class_is_lost_and_the_first_of_a_burst_is_of_that_burst(
    shots: list[int], seed: int, repeats: int
) -> None:
    task = make_task(shots, seed)
    support = task.support
    for k in range(1, repeats):
        again = SupportSet(task.support.ids + k, task.support.labels, task.support.embeddings)
        support = support.with_added(again)
    first = bursts(support)
    assert torch.equal(first[first], first)
    assert bool((first <= torch.arange(len(support))).all())
    assert torch.equal(support.labels[first], support.labels)
    kept = one_of_each_burst(support)
    assert torch.equal(kept.labels.unique(), support.labels.unique())
