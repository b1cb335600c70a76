"""Rows that FAISS and PyTorch read in one place: values that share memory and never change."""

from __future__ import annotations

import gc
import multiprocessing
import resource
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import faiss
import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from torch import Tensor

from adapters.cache.flat_rows import FlatRows
from adapters.memory import storages
from tests.gpu import needs_gpu

WIDTH = 6


def some(n: int, seed: int, width: int = WIDTH) -> Tensor:
    return torch.randn(n, width, generator=torch.Generator().manual_seed(seed))


ROWS = 1 << 16


def resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def test_rows_given_first_are_adopted_and_searched_where_they_are() -> None:
    given_first = some(50, 0)
    flat = FlatRows.of(given_first)
    assert flat.rows.data_ptr() == given_first.data_ptr()
    assert flat.index.ntotal == len(flat) == 50
    assert flat.index.metric_type == faiss.METRIC_INNER_PRODUCT
    seen = faiss.rev_swig_ptr(flat.index.get_xb(), 50 * WIDTH)
    assert seen.__array_interface__["data"][0] == given_first.data_ptr()
    query = some(3, 1)
    similarities, at = flat.index.search(query.numpy(), 7)
    dense = (query @ given_first.T).topk(7)
    assert np.array_equal(at, dense.indices.numpy())
    np.testing.assert_allclose(similarities, dense.values.numpy(), rtol=1e-5, atol=1e-5)


def test_what_faiss_cannot_read_in_place_is_copied() -> None:
    for rows in (some(5, 0).double(), some(10, 0)[::2], some(5, 0).T.contiguous().T):
        flat = FlatRows.of(rows)
        assert flat.rows.is_contiguous()
        assert torch.equal(flat.rows, rows.float())
    assert not FlatRows.of(some(5, 0).requires_grad_()).append(some(1, 1)).rows.requires_grad


def test_an_append_shares_memory_and_leaves_the_older_value_as_it_was() -> None:
    first = FlatRows.of(some(5, 0)).append(some(1, 1))
    before = first.rows.clone()
    second = first.append(some(3, 2))
    assert second.rows.data_ptr() == first.rows.data_ptr()
    assert torch.equal(first.rows, before)
    assert torch.equal(second.rows, torch.cat([before, some(3, 2)]))
    assert (first.index.ntotal, second.index.ntotal) == (6, 9)
    assert second.append(some(0, 0)) is second


def test_of_two_values_that_continue_one_the_second_is_a_copy_unless_the_first_is_gone() -> None:
    base = FlatRows.of(some(5, 0)).append(some(1, 1))
    one = base.append(some(1, 2))
    other = base.append(some(2, 3))
    assert one.rows.data_ptr() == base.rows.data_ptr() != other.rows.data_ptr()
    assert torch.equal(one.rows[6:], some(1, 2))
    assert torch.equal(other.rows, torch.cat([base.rows, some(2, 3)]))
    view = one.rows[6:].numpy()  # holds the memory, though the value is gone
    del one
    gc.collect()
    assert base.append(some(1, 4)).rows.data_ptr() != base.rows.data_ptr()
    assert np.array_equal(view, some(1, 2).numpy())
    del view
    gc.collect()
    assert base.append(some(1, 5)).rows.data_ptr() == base.rows.data_ptr()


HOLDERS: dict[str, Callable[[FlatRows], Any]] = {
    "index": lambda flat: flat.index,
    "view": lambda flat: flat.rows[3:],
    "numpy": lambda flat: flat.rows.numpy()[3:],
    "detached": lambda flat: flat.rows.detach().view(-1),
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_whatever_reads_rows_keeps_them(holder: str) -> None:
    flat = FlatRows.of(some(100, 0)).append(some(1, 1))
    wanted = flat.rows.clone()
    held = HOLDERS[holder](flat)
    base = FlatRows.of(flat.rows[:1])
    del flat
    gc.collect()
    for seed in range(20):  # would take the memory if it were free
        base = base.append(some(100, seed))
    if holder == "index":
        assert np.array_equal(held.reconstruct_n(0, 101), wanted.numpy())
    else:
        expected = wanted if holder == "detached" else wanted[3:]
        assert np.array_equal(np.asarray(held).reshape(-1, WIDTH), expected.numpy())


def test_an_index_over_rows_does_not_grow() -> None:
    index: Any = FlatRows.of(some(5, 0)).index
    for change in (
        lambda: index.add(some(1, 1).numpy()),
        lambda: index.remove_ids(np.array([0])),
        index.reset,
        lambda: index.add_with_ids(some(1, 1).numpy(), np.array([0])),
    ):
        with pytest.raises(TypeError, match="do not change"):
            change()
    assert index.ntotal == 5


def test_no_rows_have_an_index_that_finds_nothing() -> None:
    flat = FlatRows.of(torch.empty(0, WIDTH))
    assert (len(flat), flat.width, flat.index.ntotal) == (0, WIDTH, 0)
    assert (flat.index.search(some(2, 0).numpy(), 1)[1] == -1).all()
    assert torch.equal(flat.append(some(2, 1)).rows, some(2, 1))


def test_rows_of_another_width_are_refused() -> None:
    with pytest.raises(ValueError, match="width 6"):
        FlatRows.of(some(2, 0)).append(some(2, 0, width=5))
    with pytest.raises(ValueError, match="width 6"):
        FlatRows.of(some(2, 0)).append(some(2, 0)[0])


def test_only_rows_that_are_used_count() -> None:
    flat = FlatRows.of(some(1000, 0)).append(some(1, 1))
    assert flat.storages() == {flat.rows.data_ptr(): 1001 * WIDTH * 4} == storages(flat.rows)
    longer = flat.append(some(10, 2))
    assert set(longer.storages()) == set(flat.storages())


def grown_by() -> int:
    """Bytes that 64 MiB of rows take more once one is appended."""
    flat = FlatRows.of(torch.ones(ROWS, 256))
    before = resident()
    grown = flat.append(torch.ones(1, 256))
    more = resident() - before
    assert len(grown.rows) == ROWS + 1
    return more


def test_room_takes_no_memory_before_it_is_used() -> None:
    # In a process of its own, which has no memory that others have let go of.
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as alone:
        more = alone.submit(grown_by).result()
    size = ROWS * 256 * 4
    assert size * 0.9 < more < size * 1.2  # the copy, not the room behind it


def test_growing_one_by_one_copies_little() -> None:
    flat, copies, addresses = FlatRows.of(some(1, 0)), 0, set()
    for seed in range(2000):
        flat = flat.append(some(1, seed))
        copies += 0 if flat.rows.data_ptr() in addresses else len(flat)
        addresses.add(flat.rows.data_ptr())
    assert copies < 3 * 2000


@needs_gpu
def test_rows_on_a_gpu_grow_and_have_no_index() -> None:
    flat = FlatRows.of(some(5, 0).cuda())
    longer = flat.append(some(2, 1))
    assert longer.rows.is_cuda
    assert torch.equal(longer.rows.cpu(), torch.cat([some(5, 0), some(2, 1)]))
    assert len(flat) == 5
    with pytest.raises(ValueError, match="processor"):
        _ = flat.index


def test_threads_that_continue_one_value_do_not_write_over_each_other() -> None:
    base = FlatRows.of(some(100, 0)).append(some(1, 1))
    found: dict[int, FlatRows] = {}

    def continued(seed: int) -> None:
        flat = base
        for step in range(20):
            flat = flat.append(some(3, 100 * seed + step))
        found[seed] = flat

    threads = [threading.Thread(target=continued, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed, flat in found.items():
        wanted = torch.cat([base.rows, *(some(3, 100 * seed + step) for step in range(20))])
        assert torch.equal(flat.rows, wanted)


class FlatRowsMachine(RuleBasedStateMachine):
    """Values that are continued, kept and dropped in any order hold what they were given."""

    def __init__(self) -> None:
        super().__init__()
        self.values: list[tuple[FlatRows, Tensor]] = []
        self.held: list[tuple[faiss.Index, Tensor]] = []

    @rule(n=st.integers(0, 30), seed=st.integers(0, 99))
    def begin(self, n: int, seed: int) -> None:
        self.values.append((FlatRows.of(some(n, seed)), some(n, seed)))

    @precondition(lambda self: self.values)
    @rule(data=st.data(), m=st.integers(0, 20), seed=st.integers(0, 99), keep=st.booleans())
    def append(self, data: st.DataObject, m: int, seed: int, keep: bool) -> None:
        at = data.draw(st.integers(0, len(self.values) - 1))
        flat, wanted = self.values[at] if keep else self.values.pop(at)
        self.values.append((flat.append(some(m, seed)), torch.cat([wanted, some(m, seed)])))

    @precondition(lambda self: self.values)
    @rule(data=st.data())
    def hold_the_index_alone(self, data: st.DataObject) -> None:
        flat, wanted = self.values.pop(data.draw(st.integers(0, len(self.values) - 1)))
        self.held.append((flat.index, wanted))

    @rule()
    def drop(self) -> None:
        del self.values[::2], self.held[::2]

    @invariant()
    def every_value_is_as_it_was_made(self) -> None:
        for flat, wanted in self.values:
            assert torch.equal(flat.rows, wanted)
            assert flat.index.ntotal == len(wanted)
            if len(wanted):
                assert np.array_equal(flat.index.reconstruct_n(0, len(wanted)), wanted.numpy())
        for index, wanted in self.held:
            assert index.ntotal == len(wanted)
            if len(wanted):
                best = index.search(wanted[:1].numpy(), 1)[0]
                assert best[0, 0] == pytest.approx(float((wanted @ wanted[0]).max()), rel=1e-4)


TestFlatRowsMachine = FlatRowsMachine.TestCase
TestFlatRowsMachine.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)


@settings(max_examples=40, deadline=None)
@given(sizes=st.lists(st.integers(0, 50), max_size=12))
def test_parts_in_order_are_the_whole(sizes: list[int]) -> None:
    parts = [some(n, seed) for seed, n in enumerate(sizes)]
    flat = FlatRows.of(torch.empty(0, WIDTH))
    for part in parts:
        flat = flat.append(part)
    assert torch.equal(flat.rows, torch.cat([torch.empty(0, WIDTH), *parts]))
