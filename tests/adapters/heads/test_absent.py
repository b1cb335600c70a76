"""What a class with a name and no images gets, beside classes with images."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings

from adapters.heads import HEADS
from adapters.heads.absent import absent_offset, fill_absent
from tests.adapters.synthetic import generator, make_task


def test_offset_is_the_middle_between_own_and_best_other() -> None:
    # Own less the mean: 4, 2, 6; best other less the mean: -1, 1, 0. Medians 4 and 0.
    term = torch.stack(
        [
            torch.tensor([4.0, -1.0, -3.0]),
            torch.tensor([1.0, 2.0, -3.0]),
            torch.tensor([0.0, -6.0, 6.0]),
        ]
    ) + torch.tensor([[10.0], [20.0], [-5.0]])  # a constant of a row makes no difference
    assert absent_offset(term, torch.tensor([0, 1, 2])) == pytest.approx((4 + 0) / 2)


def test_offset_goes_by_the_others_where_own_is_not_known() -> None:
    # The own entry may be anything. Best other less the mean of the others: 1, 2.
    term = torch.tensor([[99.0, 3.0, 1.0], [1.0, -99.0, 5.0]])
    offset = absent_offset(term, torch.tensor([0, 1]), own_is_known=False)
    assert offset == pytest.approx(1.0)  # the lower median of two


@pytest.mark.parametrize("own_is_known", [True, False])
def test_there_is_no_offset_without_votes_or_without_another_class(own_is_known: bool) -> None:
    none = torch.empty(0, dtype=torch.int64)
    assert absent_offset(torch.empty(0, 3), none, own_is_known=own_is_known) == 0.0
    one_class = torch.ones(4, 1), torch.zeros(4, dtype=torch.int64)
    assert absent_offset(*one_class, own_is_known=own_is_known) == 0.0


@settings(max_examples=50, deadline=None)
@given(n=st.integers(0, 5), n_classes=st.integers(1, 5), seed=st.integers(0, 100))
def test_absent_entries_get_the_mean_of_their_row_and_the_offset(
    n: int, n_classes: int, seed: int
) -> None:
    rng = generator(seed)
    term = torch.randn(n, n_classes, generator=rng)
    absent = torch.rand(n, n_classes, generator=rng) < 0.4
    filled = fill_absent(term, absent, 0.5)
    assert torch.equal(filled[~absent], term[~absent])
    for i in range(n):
        present = term[i][~absent[i]]
        mean = float(present.mean()) if len(present) else 0.0
        for c in absent[i].nonzero().flatten().tolist():
            assert float(filled[i, c]) == pytest.approx(mean + 0.5, abs=1e-5)


def test_what_stood_in_absent_entries_makes_no_difference() -> None:
    term = torch.tensor([[1.0, 7.0, 3.0]])
    absent = torch.tensor([[False, True, False]])
    other = torch.tensor([[1.0, -1e9, 3.0]])
    assert torch.equal(fill_absent(term, absent, 0.0), fill_absent(other, absent, 0.0))
    assert fill_absent(term, absent, 0.25).tolist() == [[1.0, 2.25, 3.0]]


@pytest.mark.parametrize("method", ["tip-adapter++", "tip-x++", "gda++", "auto"])
def test_queries_of_classes_known_by_name_are_found_beside_those_with_images(method: str) -> None:
    seen, named, named_without = [], [], []
    for seed in range(10):
        task = make_task([6, 6, 6, 0, 0, 0], seed, queries=10)
        head = HEADS[method]().fit(task.classes, task.support)
        scores = head.score(task.queries)
        right = scores.logits.argmax(dim=1) == task.truth
        seen.append(right[task.truth < 3])
        named.append(right[task.truth >= 3])
        nothing_added = scores.zero_shot + scores.cache * (torch.arange(6) < 3)
        named_without.append((nothing_added.argmax(dim=1) == task.truth)[task.truth >= 3])
    assert torch.cat(seen).double().mean() > 0.8
    assert torch.cat(named).double().mean() > 0.4
    if method == "tip-adapter++":  # whose votes are never negative
        assert torch.cat(named_without).double().mean() < 0.25


@pytest.mark.parametrize("method", ["tip-adapter++", "gda++"])
def test_the_offset_is_used_where_a_class_has_no_images(method: str) -> None:
    task = make_task([4, 0, 3])
    head = HEADS[method]().fit(task.classes, task.support)
    cache = head.score(task.queries).cache
    expected = (cache[:, 0] + cache[:, 2]) / 2 + head.tuning_.parameters.as_dict()["absent"]
    torch.testing.assert_close(cache[:, 1], expected, rtol=1e-5, atol=1e-3)
