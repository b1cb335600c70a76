"""Whatever keeps the keys, any sequence of changes leaves what a dict of keys answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import faiss
import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from torch import Tensor
from torch.nn.functional import normalize

from adapters.cache import (
    DEFAULT_SETTINGS,
    Cache,
    CacheFileError,
    CacheSettings,
    GpuCache,
    KeyValueCache,
    PartitionedCache,
    TorchBruteForce,
    VoteEquation,
    load_cache,
    on_gpu,
)
from adapters.cache.cache import balance
from adapters.cache.cache_file import save
from adapters.embeddings import ClassSet

WIDTH, CLASSES = 8, 5
BETA, ALPHA, SHOTS = 4.0, 2.0, 3.0
ALL = ClassSet(torch.arange(CLASSES) * 11, None)

Kind = Callable[[Tensor, Tensor, Tensor], Cache]
KINDS: dict[str, Kind] = {
    "dense": KeyValueCache.of,
    "partitioned": lambda *of: PartitionedCache("float32", *of),
    "partitioned float16": lambda *of: PartitionedCache("float16", *of),
    "partitioned int8": lambda *of: PartitionedCache("int8", *of),
    "device": lambda *of: GpuCache(TorchBruteForce(torch.device("cpu")), *of),
}
# What rounding changes of a similarity, and of the votes of a class of at most a hundred keys.
ROUNDED = {"partitioned float16": 1e-3, "partitioned int8": 2e-2, "device": 1e-3}


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_gpu, "_BLOCK", 16)
    monkeypatch.setattr(on_gpu, "_LEAST", 4)


def unit(n: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(n, WIDTH, generator=generator), dim=-1)


class Reference:
    """Keys and labels by identifier; answers by a loop over all of them."""

    def __init__(self) -> None:
        self.held: dict[int, tuple[Tensor, int]] = {}

    def probabilities(self, queries: Tensor, present: Tensor) -> Tensor:
        votes = torch.zeros(len(queries), CLASSES)
        for key, label in self.held.values():
            votes[:, label // 11] += torch.exp(-BETA * (1 - queries @ key))
        shots = torch.tensor([[x[1] // 11 for x in self.held.values()].count(c) for c in range(5)])
        return (ALPHA * votes * SHOTS / shots.clamp(min=1))[:, present].softmax(dim=1)


def equation(labels: Tensor) -> VoteEquation:
    present = ALL.have_images(labels)
    return VoteEquation(classes=ALL, present=present, alpha=ALPHA, beta=BETA, shots=SHOTS)


def assert_equal_to(reference: Reference, cache: Cache, kind: str) -> None:
    assert len(cache) == len(reference.held)
    entries = cache.entries()
    assert sorted(entries.ids.tolist()) == sorted(reference.held)
    off = ROUNDED.get(kind, 0)
    for i, key, label in zip(entries.ids.tolist(), entries.keys, entries.labels, strict=True):
        wanted, wanted_label = reference.held[i]
        assert int(label) == wanted_label
        torch.testing.assert_close(key, wanted, rtol=0, atol=off)
    queries = unit(3, 4321)
    if not reference.held:
        assert cache.nearest(queries, 2).ids.shape == (3, 0)
        return
    matches = cache.nearest(queries)
    dense = queries @ torch.stack([reference.held[i][0] for i in matches.ids[0].tolist()]).T
    torch.testing.assert_close(matches.similarities[0], dense[0], rtol=0, atol=off + 1e-5)
    assert (matches.similarities.diff(dim=1) <= 1e-6).all()
    assert [sorted(row) for row in matches.ids.tolist()] == 3 * [sorted(reference.held)]
    labels = [[reference.held[i][1] for i in row] for row in matches.ids.tolist()]
    assert matches.labels.tolist() == labels
    some = cache.nearest(queries, 2)
    assert some.ids.shape == (3, min(2, len(reference.held)))
    asked = equation(entries.labels)
    votes, best = cache.votes(asked)(queries, torch.zeros(3, CLASSES), None, 2)
    found = votes[:, asked.present].softmax(dim=1)
    wanted = reference.probabilities(queries, asked.present)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1.1e-3 + 4 * ALPHA * SHOTS * off)
    torch.testing.assert_close(best.similarities, some.similarities, rtol=0, atol=off + 1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_any_changes_leave_what_a_dict_answers(kind: str) -> None:
    class Machine(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.reference = Reference()
            first = torch.tensor([0, 7, 23])  # an inverted file is laid out for some keys
            keys, labels = unit(3, 77), torch.tensor([0, 22, 33])
            self.cache = KINDS[kind](first, keys, labels)
            self.reference.held = dict(
                zip(first.tolist(), zip(keys, labels.tolist(), strict=True), strict=True)
            )

        @rule(ids=st.sets(st.integers(-5, 90), max_size=30), seed=st.integers(0, 99))
        def add(self, ids: set[int], seed: int) -> None:
            fresh = sorted(ids - set(self.reference.held))
            keys, labels = unit(len(fresh), seed), [i % CLASSES * 11 for i in fresh]
            as_tensors = (torch.tensor(one, dtype=torch.int64) for one in (fresh, labels))
            ids_, labels_ = as_tensors
            self.cache.add(ids_, keys, labels_)
            self.reference.held |= dict(
                zip(fresh, zip(keys.unbind(), labels, strict=True), strict=True)
            )

        @precondition(lambda self: self.reference.held)
        @rule(data=st.data(), everything=st.booleans())
        def remove(self, data: st.DataObject, everything: bool) -> None:
            held = sorted(self.reference.held)
            gone = set(held) if everything else data.draw(st.sets(st.sampled_from(held)))
            self.cache.remove(torch.tensor(sorted(gone), dtype=torch.int64))
            for i in gone:
                del self.reference.held[i]

        @precondition(lambda self: self.reference.held)
        @rule()
        def refuse(self) -> None:
            taken = torch.tensor([min(self.reference.held), 999])
            with pytest.raises(ValueError, match="already"):
                self.cache.add(taken, unit(2, 0), torch.zeros(2, dtype=torch.int64))
            with pytest.raises(KeyError, match="999"):
                self.cache.remove(taken)

        @invariant()
        def answers(self) -> None:
            assert_equal_to(self.reference, self.cache, kind)

    case = Machine.TestCase
    case.settings = settings(max_examples=12, stateful_step_count=12, deadline=None)
    case().runTest()


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 60),
    beta=st.sampled_from([0.0, 1.0, 5.5, 64.0]),
    weighted=st.booleans(),
    k=st.sampled_from([None, 1, 3, 1000]),
    seed=st.integers(0, 99),
)
def test_without_dead_keys_answers_are_the_plain_formula_bit_by_bit(
    n: int, beta: float, weighted: bool, k: int | None, seed: int
) -> None:
    ids, labels, keys = torch.arange(n) + 7, torch.arange(n) % CLASSES * 11, unit(n, seed)
    present, weights = ALL.have_images(labels), torch.rand(n) if weighted else None
    asked = VoteEquation(
        classes=ALL, present=present, alpha=ALPHA, beta=beta, shots=SHOTS, key_weights=weights
    )
    query = unit(1, seed + 1)
    cache = KeyValueCache.of(ids, keys, labels)
    votes, matches = cache.votes(asked)(query, torch.zeros(1, CLASSES), None, k)
    similarities = cache.similarities(query)
    affinities = torch.from_numpy(np.exp((similarities.numpy() - 1) * np.float32(beta)))
    affinities = affinities if weights is None else affinities * weights
    columns = ALL.columns(labels)
    plain = torch.zeros(1, CLASSES).index_add_(1, columns, affinities)
    assert torch.equal(votes, plain * (ALPHA * balance(columns, CLASSES, SHOTS)))
    if k is None or k >= n:
        values, at = similarities.sort(dim=1, descending=True)
    else:
        values, at = similarities.topk(k, dim=1)
    assert torch.equal(matches.similarities, values)
    assert torch.equal(matches.ids, ids[at])


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(2, 60),
    gone=st.sets(st.integers(0, 59), min_size=1),
    beta=st.sampled_from([0.0, 5.5]),
    weighted=st.booleans(),
)
def test_dead_keys_have_no_vote_and_are_nearest_to_nothing(
    n: int, gone: set[int], beta: float, weighted: bool
) -> None:
    gone = {i for i in gone if i < n - 1}  # one stays
    ids, labels, keys = torch.arange(n), torch.arange(n) % CLASSES * 11, unit(n, 1)
    cache = KeyValueCache.of(ids, keys, labels)
    cache.votes(equation(labels))
    cache.remove(torch.tensor(sorted(gone), dtype=torch.int64))
    stay = torch.tensor([i for i in range(n) if i not in gone])
    fresh = KeyValueCache.of(ids[stay], keys[stay], labels[stay])
    present, weights = ALL.have_images(labels[stay]), torch.rand(len(stay)) if weighted else None
    asked = VoteEquation(
        classes=ALL, present=present, alpha=ALPHA, beta=beta, shots=SHOTS, key_weights=weights
    )
    for k in (None, 1, 5, n):
        nothing = torch.zeros(3, CLASSES)
        votes, matches = cache.votes(asked)(unit(3, 2), nothing, None, k)
        wanted, wanted_matches = fresh.votes(asked)(unit(3, 2), nothing, None, k)
        torch.testing.assert_close(votes, wanted)
        assert torch.equal(matches.ids, wanted_matches.ids)
        torch.testing.assert_close(matches.similarities, wanted_matches.similarities)
    assert cache.flat.rows.data_ptr() == keys.data_ptr()
    assert torch.equal(cache.keys, keys[stay])
    torch.testing.assert_close(cache.similarities(unit(2, 3)), fresh.similarities(unit(2, 3)))


def test_votes_are_of_the_keys_that_they_were_asked_for() -> None:
    ids, keys = torch.arange(40), unit(40, 0)
    cache = KeyValueCache.of(ids, keys, ids % CLASSES * 11)
    query, nothing = unit(1, 1), torch.zeros(1, CLASSES)
    asked = cache.votes(equation(ids % CLASSES * 11))
    before = asked(query, nothing, None, 40)
    cache.remove(ids[:30])
    cache.add(torch.tensor([99]), query, torch.tensor([0]))
    after = asked(query, nothing, None, 40)
    assert torch.equal(before[0], after[0])
    assert torch.equal(before[1].ids, after[1].ids)


def test_votes_follow_classes_that_come_go_and_change_places() -> None:
    ids, keys = torch.arange(40), unit(40, 0)
    labels = ids % CLASSES * 11
    cache, nothing = KeyValueCache.of(ids, keys, labels), torch.zeros(2, CLASSES)
    before, _ = cache.votes(equation(labels))(unit(2, 1), nothing, None, 1)
    turned = ClassSet(ALL.ids.flip(0), None)
    asked = VoteEquation(
        classes=turned, present=torch.ones(5, dtype=torch.bool), alpha=ALPHA, beta=BETA, shots=SHOTS
    )
    flipped, _ = cache.votes(asked)(unit(2, 1), nothing, None, 1)
    torch.testing.assert_close(flipped.flip(1), before)
    cache.add(torch.tensor([77]), unit(1, 5), torch.tensor([500]))  # of no class yet
    with pytest.raises(KeyError):
        cache.votes(asked)
    cache.remove(torch.tensor([77]))
    again, _ = cache.votes(equation(labels))(unit(2, 1), nothing, None, 1)
    torch.testing.assert_close(again, before)


def test_removed_keys_are_left_behind_when_most_are_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.cache.exact._LEAST", 4)
    keys = unit(20, 0)
    cache = KeyValueCache.of(torch.arange(20), keys, torch.zeros(20, dtype=torch.int64))
    cache.remove(torch.arange(10))
    cache.add(torch.tensor([50]), unit(1, 1), torch.tensor([0]))
    assert len(cache.flat) == 21  # as many dead as alive
    cache.remove(torch.tensor([50, 10]))
    cache.add(torch.tensor([51]), unit(1, 2), torch.tensor([0]))
    assert len(cache.flat) == len(cache) == 10
    assert cache.ids.tolist() == [*range(11, 20), 51]
    assert torch.equal(cache.keys[:9], keys[11:])


def test_keys_that_others_have_appended_are_taken_over() -> None:
    cache = KeyValueCache.of(torch.arange(3), unit(3, 0), torch.zeros(3, dtype=torch.int64))
    cache.remove(torch.tensor([1]))
    longer = cache.flat.append(unit(2, 1))
    cache.extend(torch.tensor([7, 8]), longer, torch.tensor([11, 11]))
    assert cache.flat is longer
    assert cache.ids.tolist() == [0, 2, 7, 8]
    assert cache.nearest(unit(2, 1), 1).ids.tolist() == [[7], [8]]
    with pytest.raises(ValueError, match="expected 1 keys"):
        cache.extend(torch.tensor([9]), longer, torch.tensor([11]))
    with pytest.raises(ValueError, match="already"):
        cache.extend(torch.tensor([8]), longer.append(unit(1, 1)), torch.tensor([11]))


def test_a_partitioned_cache_gives_back_the_keys_that_it_was_given() -> None:
    ids, keys = torch.randperm(50) * 3, unit(50, 0)
    cache = PartitionedCache("float32", ids, keys, ids % CLASSES * 11)
    cache.remove(ids[:10])
    cache.add(ids[:5], keys[:5], torch.zeros(5, dtype=torch.int64))
    some = torch.tensor([30, 2, 11, 49])
    assert torch.equal(cache.keys_of(ids[some]), keys[some])
    assert cache.keys_of(ids[:0]).shape == (0, WIDTH)
    with pytest.raises(KeyError, match=str(int(ids[7]))):
        cache.keys_of(ids[5:8])
    with pytest.raises(ValueError, match="rounded to int8"):
        PartitionedCache("int8", ids, keys, ids).keys_of(ids[:1])


@pytest.mark.parametrize("kind", KINDS)
def test_a_cache_is_saved_and_loaded_as_the_kind_that_suits_it(kind: str, tmp_path: Path) -> None:
    ids, keys = torch.randperm(50) * 3, unit(50, 0)
    cache, path = KINDS[kind](ids, keys, ids % CLASSES * 11), tmp_path / "support.safetensors"
    cache.remove(ids[:5])
    cache.save(path)
    loaded = load_cache(path, DEFAULT_SETTINGS)
    assert isinstance(loaded, KeyValueCache)
    assert sorted(loaded.ids.tolist()) == sorted(ids[5:].tolist())
    wanted, found = cache.nearest(unit(3, 1)), loaded.nearest(unit(3, 1))
    off = ROUNDED.get(kind, 0) + 1e-5
    torch.testing.assert_close(found.similarities, wanted.similarities, rtol=0, atol=off)
    many = load_cache(path, CacheSettings(exact_up_to=2, per_class=0))
    assert isinstance(many, PartitionedCache)
    index = faiss.read_index(str(tmp_path / "support.faiss"))
    similarities, best = index.search(unit(3, 1).numpy(), 4)
    assert (torch.from_numpy(similarities) - wanted.similarities[:, :4]).abs().max() < off
    if kind == "dense":
        assert best.tolist() == wanted.ids[:, :4].tolist()
    assert len(list(tmp_path.iterdir())) == 2


def test_what_is_no_cache_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cache.safetensors"
    with pytest.raises(OSError, match="nowhere"):
        load_cache(tmp_path / "nowhere", DEFAULT_SETTINGS)
    cache = KeyValueCache.of(torch.arange(3), unit(3, 0), torch.zeros(3, dtype=torch.int64))
    with pytest.raises(OSError, match="cannot be written"):
        cache.save(tmp_path / "no" / "folder")
    cache.save(path)
    whole = path.read_bytes()
    for damaged in (b"", whole[:40], whole.replace(b"handful-cache-1", b"handful-cache-9")):
        path.write_bytes(damaged)
        with pytest.raises(CacheFileError):
            load_cache(path, DEFAULT_SETTINGS)
    twice = cache.entries()
    twice.ids[1] = 0
    save(path, twice)
    with pytest.raises(CacheFileError, match="twice"):
        load_cache(path, DEFAULT_SETTINGS)
