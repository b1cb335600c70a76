"""A support set that grows and shrinks without being copied, against one that is copied."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings

from adapters.change import Change
from adapters.embeddings import ImageEmbeddings, SupportSet
from adapters.growing_support import GrowingSupport
from tests.adapters.synthetic import make_task, noise


def images(ids: list[int]) -> SupportSet:
    numbers = torch.tensor(ids, dtype=torch.int64)
    return SupportSet(numbers, numbers % 3, noise(100, 1)[numbers])


def assert_same(actual: SupportSet, expected: SupportSet) -> None:
    assert torch.equal(actual.ids, expected.ids)
    assert torch.equal(actual.labels, expected.labels)
    assert torch.equal(actual.embeddings.frozen, expected.embeddings.frozen)
    assert torch.equal(actual.embeddings.corrected, expected.embeddings.corrected)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_changes_are_those_of_a_support_set_and_leave_older_values_alone(
    data: st.DataObject,
) -> None:
    there = images(list(range(data.draw(st.integers(0, 10)))))
    growing = GrowingSupport.of(there)
    older = [(growing, there)]
    for _ in range(data.draw(st.integers(1, 6))):
        gone = data.draw(st.sets(st.sampled_from(there.ids.tolist()))) if len(there) else set()
        free = sorted(set(range(100)) - set(there.ids.tolist()) | gone)
        come = data.draw(st.lists(st.sampled_from(free), unique=True, max_size=6))
        change = Change(
            added=images(come) if come else None,
            removed=torch.tensor(sorted(gone), dtype=torch.int64) if gone else None,
        )
        if change.removed is not None:
            there = there.without(change.removed)
        if change.added is not None:
            there = there.with_added(change.added)
        growing = growing.changed(change)
        older.append((growing, there))
    for value, expected in older:
        assert len(value) == len(expected)
        assert_same(value.compact(), expected)
        assert torch.equal(value.present_labels(), expected.labels)


def test_nothing_is_copied_where_nothing_is_gone() -> None:
    task = make_task([3, 2])
    support = GrowingSupport.of(task.support).compact()
    for view in ("frozen", "corrected"):
        one, other = (getattr(s.embeddings, view) for s in (support, task.support))
        assert one.data_ptr() == other.data_ptr()


def test_one_embedding_for_both_stays_one() -> None:
    both = noise(4, 0).frozen
    numbers = torch.arange(4)
    growing = GrowingSupport.of(SupportSet(numbers, numbers, ImageEmbeddings(both, both)))
    grown = growing.changed(
        Change(added=SupportSet(numbers + 4, numbers, ImageEmbeddings(both, both)))
    )
    held = grown.compact().embeddings
    assert held.corrected is held.frozen
    assert grown.corrected is grown.frozen


def test_what_is_not_there_cannot_go_and_what_is_there_cannot_come() -> None:
    growing = GrowingSupport.of(images([1, 2, 3]))
    with pytest.raises(KeyError):
        growing.changed(Change(removed=torch.tensor([2, 9])))
    with pytest.raises(ValueError, match="already"):
        growing.changed(Change(added=images([4, 3])))
    without = growing.changed(Change(removed=torch.tensor([2])))
    with pytest.raises(KeyError):
        without.changed(Change(removed=torch.tensor([2])))
    again = without.changed(Change(added=images([2])))
    assert again.compact().ids.tolist() == [1, 3, 2]


def test_it_is_sparse_when_a_quarter_is_gone() -> None:
    growing = GrowingSupport.of(images(list(range(20))))
    assert not growing.changed(Change(removed=torch.arange(5))).is_sparse
    assert growing.changed(Change(removed=torch.arange(6))).is_sparse
