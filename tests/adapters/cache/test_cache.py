from __future__ import annotations

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from torch.nn.functional import normalize

from adapters.cache import KeyValueCache

WIDTH = 8


def keys(n: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(n, WIDTH, generator=generator), dim=-1)


def test_search_returns_all_keys_best_first_with_their_labels() -> None:
    cache = KeyValueCache(WIDTH)
    stored = keys(5, 0)
    cache.add(torch.tensor([7, 3, 9, 1, 5]), stored, torch.tensor([70, 30, 90, 10, 50]))
    query = keys(2, 1)
    matches = cache.nearest(query)
    dense = (query @ stored.T).sort(dim=1, descending=True)
    torch.testing.assert_close(matches.similarities, dense.values)
    assert torch.equal(matches.ids, torch.tensor([7, 3, 9, 1, 5])[dense.indices])
    assert torch.equal(matches.labels, matches.ids * 10)


def test_k_is_cut_to_the_number_of_keys() -> None:
    cache = KeyValueCache(WIDTH)
    cache.add(torch.tensor([1, 2]), keys(2, 0), torch.tensor([0, 1]))
    assert cache.nearest(keys(3, 1), k=1).ids.shape == (3, 1)
    assert cache.nearest(keys(3, 1), k=9).ids.shape == (3, 2)


def test_an_empty_cache_matches_nothing() -> None:
    matches = KeyValueCache(WIDTH).nearest(keys(3, 0))
    assert matches.ids.shape == (3, 0)
    assert matches.similarities.shape == (3, 0)


def test_a_taken_identifier_is_refused_and_nothing_is_added() -> None:
    cache = KeyValueCache(WIDTH)
    cache.add(torch.tensor([1]), keys(1, 0), torch.tensor([0]))
    with pytest.raises(ValueError, match="already"):
        cache.add(torch.tensor([2, 1]), keys(2, 1), torch.tensor([0, 0]))
    with pytest.raises(ValueError, match="already"):
        cache.add(torch.tensor([3, 3]), keys(2, 1), torch.tensor([0, 0]))
    assert len(cache) == 1


def test_keys_of_another_width_are_refused() -> None:
    with pytest.raises(ValueError, match="width 8"):
        KeyValueCache(WIDTH).add(torch.tensor([1]), torch.ones(1, 3), torch.tensor([0]))


def test_removing_what_is_not_there_removes_nothing() -> None:
    cache = KeyValueCache(WIDTH)
    cache.add(torch.tensor([1, 2]), keys(2, 0), torch.tensor([0, 1]))
    with pytest.raises(KeyError, match="3"):
        cache.remove(torch.tensor([1, 3]))
    assert len(cache) == 2


class CacheMachine(RuleBasedStateMachine):
    """Any order of additions and removals leaves what a dense product over the rest gives."""

    def __init__(self) -> None:
        super().__init__()
        self.cache = KeyValueCache(WIDTH)
        self.model: dict[int, tuple[torch.Tensor, int]] = {}

    @rule(ids=st.sets(st.integers(0, 60), max_size=8), seed=st.integers(0, 99))
    def add(self, ids: set[int], seed: int) -> None:
        fresh = [i for i in ids if i not in self.model]
        vectors, labels = keys(len(fresh), seed), [i % 4 for i in fresh]
        self.cache.add(
            torch.tensor(fresh, dtype=torch.int64),
            vectors,
            torch.tensor(labels, dtype=torch.int64),
        )
        self.model |= {i: (vectors[n], labels[n]) for n, i in enumerate(fresh)}

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        gone = data.draw(st.sets(st.sampled_from(sorted(self.model)), max_size=5))
        self.cache.remove(torch.tensor(sorted(gone), dtype=torch.int64))
        for i in gone:
            del self.model[i]

    @invariant()
    def agrees_with_the_dense_product(self) -> None:
        query = keys(3, 1234)
        matches = self.cache.nearest(query)
        assert len(self.cache) == len(self.model)
        for row in range(3):
            found = matches.ids[row].tolist()
            assert sorted(found) == sorted(self.model)
            for i, similarity, label in zip(
                found, matches.similarities[row], matches.labels[row].tolist(), strict=True
            ):
                vector, expected = self.model[i]
                assert label == expected
                assert abs(float(similarity - query[row] @ vector)) < 1e-5


TestCacheMachine = CacheMachine.TestCase
TestCacheMachine.settings = settings(max_examples=30, stateful_step_count=15, deadline=None)


@settings(max_examples=30, deadline=None)
@given(n=st.integers(1, 40), seed=st.integers(0, 1000))
def test_a_query_is_answered_alike_alone_and_in_a_batch(n: int, seed: int) -> None:
    cache = KeyValueCache(WIDTH)
    cache.add(torch.arange(20), keys(20, seed), torch.arange(20) % 3)
    queries = keys(n, seed + 1)
    together = cache.nearest(queries).similarities
    alone = torch.cat([cache.nearest(queries[i : i + 1]).similarities for i in range(n)])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-6)


def test_keys_that_a_cache_begins_with_are_shared_and_never_written() -> None:
    stored = keys(4, 0)
    before, cache = stored.clone(), KeyValueCache(WIDTH)
    cache.add(torch.arange(4), stored, torch.arange(4))
    assert cache.keys.data_ptr() == stored.data_ptr()
    cache.add(torch.tensor([9]), keys(1, 1), torch.tensor([0]))
    cache.remove(torch.tensor([0, 9]))
    cache.add(torch.tensor([7, 8]), keys(2, 2), torch.tensor([1, 1]))
    assert torch.equal(stored, before)
    assert cache.ids.tolist() == [1, 2, 3, 7, 8]


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_cache_is_searched_where_its_keys_are(device: str) -> None:
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device: not searched on one")
    stored, query = keys(50, 0).to(device), keys(3, 1).to(device)
    cache = KeyValueCache(WIDTH)
    cache.add(torch.arange(50, device=device), stored, torch.arange(50, device=device))
    cache.add(torch.tensor([99], device=device), query[:1], torch.tensor([5], device=device))
    matches = cache.nearest(query, 4)
    assert matches.similarities.device.type == matches.ids.device.type == device
    assert matches.ids[0, 0] == 99
    dense = (query @ torch.cat([stored, query[:1]]).T).topk(4, dim=1)
    torch.testing.assert_close(matches.similarities, dense.values)
