"""A cache of very many keys answers as a dense product does; here it is made of few."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from torch.nn.functional import normalize

from adapters.cache import CacheSettings, KeyValueCache, PartitionedCache, VoteEquation
from adapters.cache.block import ClassBlock
from adapters.cache.contest import Contest
from adapters.cache.growing_rows import GrowingRows
from adapters.cache.settings import Storage
from adapters.change import Change
from adapters.heads import HEADS, Head, Tuning
from tests.adapters.synthetic import TUNINGS, Task, make_task, noise, tuned

WIDTH = 8
CACHED = ["tip-adapter", "tip-adapter++", "tip-x", "tip-x++", "gda", "gda++"]
STORAGES: tuple[Storage, ...] = ("float32", "float16", "int8")


def keys(n: int, seed: int, width: int = WIDTH) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(n, width, generator=generator), dim=-1)


# Two keys count as very many.
VERY_MANY = CacheSettings(exact_up_to=2, per_class=0)


def dense_and_partitioned(method: str, task: Task, tuning: Tuning) -> tuple[Head, Head]:
    dense = HEADS[method](100.0).fit(task.classes, task.support, tuning)
    partitioned = HEADS[method](100.0, VERY_MANY).fit(task.classes, task.support, tuning)
    return dense, partitioned


def assert_same_answers(actual: Head, expected: Head, task: Task) -> None:
    a, e = actual.score(task.queries, 3), expected.score(task.queries, 3)
    p, q = actual.probabilities(a.logits), expected.probabilities(e.logits)
    assert (p - q).abs().max() <= 1e-3 + 1e-5
    ahead = q.unsqueeze(2) - q.unsqueeze(1)
    matters = torch.maximum(q.unsqueeze(2), q.unsqueeze(1)) > 1e-3 + 1e-5
    behind = p.unsqueeze(2) < p.unsqueeze(1)
    assert not (matters & (ahead > 1e-5) & behind).any()
    torch.testing.assert_close(a.zero_shot, e.zero_shot)
    torch.testing.assert_close(a.matches.similarities, e.matches.similarities)


@settings(max_examples=60, deadline=None)
@given(
    method=st.sampled_from(CACHED),
    shots=st.lists(st.integers(0, 12), min_size=1, max_size=12).filter(lambda s: sum(s) > 2),
    names=st.booleans(),
    beta=st.sampled_from([0.5, 2.0, 8.0, 64.0]),
    temperature=st.sampled_from([0.3, 2.0, 20.0]),
    seed=st.integers(0, 99),
)
def test_answers_are_those_of_a_dense_product(
    method: str, shots: list[int], names: bool, beta: float, temperature: float, seed: int
) -> None:
    task = make_task(shots, seed, names=names)
    parameters = TUNINGS[method][1].parameters.as_dict() | {"beta": beta}
    tuning = tuned(method, temperature, **parameters)
    dense, partitioned = dense_and_partitioned(method, task, tuning)
    assert isinstance(partitioned.cache_, PartitionedCache)
    assert_same_answers(partitioned, dense, task)


def contest(task: Task, *, alpha: float, beta: float, temperature: float) -> Contest:
    """The contest of the classes of a task, all of which have keys."""
    support = task.support
    cache = PartitionedCache("float32", support.ids, support.embeddings.corrected, support.labels)
    equation = VoteEquation(
        classes=task.classes,
        present=task.classes.have_images(support.labels),
        alpha=alpha,
        beta=beta,
        shots=len(support) / len(task.classes),
        temperature=temperature,
    )
    return Contest.of(cache, equation)


def test_most_classes_are_never_looked_at_where_means_tell_them_apart() -> None:
    task = make_task([40] * 60, spread=0.4, names=False)
    asked = contest(task, alpha=3.0, beta=4.0, temperature=1.0)
    queries = task.queries.corrected.numpy()
    nothing = np.zeros((len(queries), len(task.classes)))
    _, looked_at = asked.votes(queries, nothing, nothing, asked.cache.find(queries))
    assert np.median(looked_at) < len(task.support) / 4


def test_where_nothing_can_be_proved_all_votes_are_counted() -> None:
    task = make_task([5] * 12, spread=50.0, names=False)
    asked = contest(task, alpha=1.0, beta=8.0, temperature=100.0)
    queries = task.queries.corrected.numpy()
    nothing = np.zeros((len(queries), len(task.classes)))
    votes, looked_at = asked.votes(queries, nothing, nothing)
    assert looked_at.tolist() == [len(task.support)] * len(queries)
    affinity = task.queries.corrected @ task.support.embeddings.corrected.T
    columns = task.classes.columns(task.support.labels)
    expected = torch.zeros(votes.shape).index_add_(1, columns, torch.exp(8 * (affinity - 1)))
    torch.testing.assert_close(torch.from_numpy(votes).float(), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("method", CACHED)
def test_an_update_is_fitting_what_is_left(method: str) -> None:
    task = make_task([6, 3, 9, 2])
    tuning = TUNINGS[method][1]
    head = HEADS[method](100.0, VERY_MANY).fit(task.classes, task.support, tuning)
    cache = head.cache_
    added, removed = task.draw([2, 0, 1, 3], 1, 1000), task.support.ids[:5]
    head.update(Change(added=added, removed=removed))
    assert head.cache_ is cache
    left = task.support.without(removed).with_added(added)
    fresh = HEADS[method](100.0, VERY_MANY).fit(task.classes, left, tuning)
    torch.testing.assert_close(
        head.score(task.queries, 3).logits, fresh.score(task.queries, 3).logits, rtol=0, atol=2e-3
    )


def test_a_cache_that_outgrows_the_dense_product_is_partitioned() -> None:
    task = make_task([3, 3])
    head = HEADS["tip-adapter++"](100.0, CacheSettings(exact_up_to=8, per_class=0)).fit(
        task.classes, task.support, TUNINGS["tip-adapter++"][1]
    )
    dense = head.cache_
    assert isinstance(dense, KeyValueCache)
    head.update(Change(added=task.draw([1, 1], 1, 1000)))
    assert head.cache_ is dense
    head.update(Change(added=task.draw([1, 0], 2, 2000)))
    assert isinstance(head.cache_, PartitionedCache)
    assert len(head.cache_) == 9


def test_a_cache_of_few_keys_a_class_stays_dense() -> None:
    task = make_task([5, 5])
    tuning = TUNINGS["tip-adapter++"][1]
    head = HEADS["tip-adapter++"](100.0, CacheSettings(exact_up_to=2, per_class=6))
    head.fit(task.classes, task.support, tuning)
    assert isinstance(head.cache_, KeyValueCache)
    head.update(Change(added=task.draw([1, 1], 1, 1000)))
    assert isinstance(head.cache_, KeyValueCache)
    head.update(Change(added=task.draw([1, 0], 2, 2000)))
    assert isinstance(head.cache_, PartitionedCache)


def test_ape_weighs_single_keys_and_stays_dense() -> None:
    task = make_task([3, 3])
    head = HEADS["ape++"](100.0, VERY_MANY).fit(task.classes, task.support, TUNINGS["ape++"][1])
    assert isinstance(head.cache_, KeyValueCache)


def test_a_taken_identifier_is_refused_and_nothing_is_added() -> None:
    cache = PartitionedCache("float32", torch.tensor([1]), keys(1, 0), torch.tensor([0]))
    with pytest.raises(ValueError, match="already"):
        cache.add(torch.tensor([2, 1]), keys(2, 1), torch.tensor([0, 0]))
    with pytest.raises(ValueError, match="already"):
        cache.add(torch.tensor([3, 3]), keys(2, 1), torch.tensor([0, 0]))
    with pytest.raises(ValueError, match="width 8"):
        cache.add(torch.tensor([3]), torch.ones(1, 3), torch.tensor([0]))
    with pytest.raises(KeyError, match="3"):
        cache.remove(torch.tensor([1, 3]))
    assert len(cache) == 1


class PartitionedMachine(RuleBasedStateMachine):
    """Any order of additions and removals leaves the neighbours and bounds of what is left."""

    def __init__(self) -> None:
        super().__init__()
        self.model = {i: (row, i % 4) for i, row in enumerate(keys(9, 7))}
        self.cache = PartitionedCache("float32", torch.arange(9), keys(9, 7), torch.arange(9) % 4)

    @rule(ids=st.sets(st.integers(0, 60), max_size=8), seed=st.integers(0, 99))
    def add(self, ids: set[int], seed: int) -> None:
        fresh = [i for i in ids if i not in self.model]
        vectors, labels = keys(len(fresh), seed), [i % 4 for i in fresh]
        self.cache.add(
            torch.tensor(fresh, dtype=torch.int64), vectors, torch.tensor(labels, dtype=torch.int64)
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
    def neighbours_are_those_of_the_dense_product(self) -> None:
        query = keys(2, 1234)
        assert len(self.cache) == len(self.model)
        for k in (3, None):
            matches = self.cache.nearest(query, k)
            for row in range(2):
                found = matches.ids[row].tolist()
                best = sorted((float(query[row] @ v) for v, _ in self.model.values()), reverse=True)
                assert len(found) == len(set(found)) == len(best[:k])
                assert matches.labels[row].tolist() == [self.model[i][1] for i in found]
                assert np.allclose(matches.similarities[row], best[:k], atol=1e-5)

    @precondition(lambda self: self.model)
    @invariant()
    def votes_lie_within_their_bounds(self) -> None:
        query, labels = keys(1, 99), sorted({label for _, label in self.model.values()})
        found = self.cache.find(query.numpy())
        for caps in (1.001, self.cache.caps(found)):
            (lower,), (upper,) = self.cache.bounds(query.numpy(), 3.0, caps)
            for label, place in zip(labels, self.cache.places(labels), strict=True):
                of = [v for v, other in self.model.values() if other == label]
                votes = float(torch.exp(3 * (torch.stack(of) @ query[0] - 1)).sum())
                exact = self.cache.class_votes(int(place), query.numpy(), 3.0)[0]
                assert exact == pytest.approx(votes, rel=1e-4)
                assert lower[place] <= votes * (1 + 1e-4)
                assert upper[place] >= votes * (1 - 1e-4)


TestPartitionedMachine = PartitionedMachine.TestCase
TestPartitionedMachine.settings = settings(max_examples=25, stateful_step_count=12, deadline=None)


@pytest.mark.parametrize("storage", STORAGES)
def test_rounded_rows_keep_their_similarities(storage: Storage) -> None:
    rows = GrowingRows(64, storage)
    stored = keys(50, 0, 64)
    rows.add(stored[:20].numpy())
    rows.add(stored[20:].numpy())
    query = keys(3, 1, 64)
    error = {"float32": 1e-6, "float16": 1e-3, "int8": 5e-3}[storage]
    expected = (stored @ query.T).numpy()
    assert np.abs(rows.product(query.numpy()) - expected).max() < error
    assert np.abs(np.linalg.norm(rows.read(), axis=1) - 1).max() < 1e-3
    rows.remove(3)
    expected[3] = expected[-1]
    assert np.abs(rows.product(query.numpy()) - expected[:-1]).max() < error


@pytest.mark.parametrize("storage", STORAGES)
def test_every_storage_finds_the_nearest(storage: Storage) -> None:
    stored = keys(300, 0, 32)
    cache = PartitionedCache(storage, torch.arange(300), stored, torch.arange(300) % 7)
    query = keys(20, 1, 32)
    expected = (query @ stored.T).argmax(dim=1)
    assert (cache.nearest(query, 1).ids.flatten() == expected).float().mean() > 0.9


@settings(max_examples=40, deadline=None)
@given(n=st.integers(1, 60), seed=st.integers(0, 99), data=st.data())
def test_the_scatter_of_a_class_is_bounded_however_it_came_about(
    n: int, seed: int, data: st.DataObject
) -> None:
    stored, block = keys(n, seed), ClassBlock(WIDTH, "float32")
    cut = data.draw(st.integers(0, n))
    block.add(np.arange(cut), stored[:cut].numpy())
    block.scatter()
    for i in range(cut, n):
        block.add(np.array([i]), stored[i : i + 1].numpy())
    gone = data.draw(st.sets(st.integers(0, n - 1), max_size=n - 1))
    for i in gone:
        block.remove(int(np.flatnonzero(block.numbers == i)[0]))
    left = stored[[i for i in range(n) if i not in gone]]
    assert sorted(block.numbers.tolist()) == sorted(set(range(n)) - gone)
    np.testing.assert_allclose(block.mean, left.mean(dim=0).numpy(), atol=1e-6)
    residuals = left - left.mean(dim=0)
    greatest = float(torch.linalg.eigvalsh(residuals.T @ residuals)[-1])
    assert block.scatter() >= greatest * (1 - 1e-5) - 1e-6


def test_a_query_is_answered_alike_alone_and_in_a_batch() -> None:
    task = make_task([6, 3, 9, 2, 5])
    head = HEADS["tip-adapter++"](100.0, VERY_MANY).fit(
        task.classes, task.support, TUNINGS["tip-adapter++"][1]
    )
    together = head.score(task.queries, 2)
    for i in range(len(task.queries)):
        alone = head.score(task.queries[i : i + 1], 2)
        torch.testing.assert_close(alone.logits[0], together.logits[i], rtol=1e-5, atol=1e-4)
        assert torch.equal(alone.matches.ids[0], together.matches.ids[i])


def test_no_queries_and_no_matches_are_fine() -> None:
    task = make_task([4, 4])
    head = HEADS["tip-adapter++"](100.0, VERY_MANY).fit(
        task.classes, task.support, TUNINGS["tip-adapter++"][1]
    )
    assert head.score(noise(0, 0), 3).logits.shape == (0, 2)
    assert head.score(task.queries, 0).matches.ids.shape == (len(task.queries), 0)
    assert head.score(task.queries).matches.ids.shape == (len(task.queries), 8)
