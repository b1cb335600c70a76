"""MaxHerding against the naive greedy choice, and against the best choice there is."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from adapters import herding
from adapters.herding import SAME_PICTURE, herd, herd_classes, nearest

SEEDS = st.integers(0, 10**6)


def images(n: int, width: int, seed: int) -> Tensor:
    """Unit vectors, no component negative, of which no two are copies."""
    generator = torch.Generator().manual_seed(seed)
    return normalize(torch.rand(n, width, generator=generator) ** 2, dim=1)


def copies(rows: Tensor, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return normalize(rows + 0.01 * torch.rand(rows.shape, generator=generator) / 4, dim=1)


def kernel(pool: Tensor) -> NDArray[np.float64]:
    """k of all pairs, from its definition, in float64."""
    distances = 1 - (pool.double() @ pool.double().T).numpy()
    pairs = distances[np.tri(len(pool), k=-1, dtype=bool)]
    return np.exp(-np.maximum(distances, 0) / np.quantile(pairs, 0.1))


def start(pool: Tensor, held: Tensor) -> NDArray[np.float64]:
    """How well the support covers each image of the pool."""
    distances = 1 - (pool.double() @ pool.double().T).numpy()
    width = np.quantile(distances[np.tri(len(pool), k=-1, dtype=bool)], 0.1)
    similarities = held.double().numpy()
    return np.where(similarities > -1, np.exp((similarities - 1) / width), 0)


def naive(
    values: NDArray[np.float64], covered: NDArray[np.float64], n: int
) -> tuple[list[int], list[float]]:
    """Greedy, every gain computed at every step."""
    chosen: list[int] = []
    reached: list[float] = []
    for _ in range(n):
        after = [
            -1.0 if row in chosen else float(np.maximum(values[row], covered).mean())
            for row in range(len(values))
        ]
        best = int(np.argmax(after))
        chosen.append(best)
        covered = np.maximum(covered, values[best])
        reached.append(after[best])
    return chosen, reached


@settings(deadline=None)
@given(st.integers(2, 24), st.integers(0, 5), st.integers(1, 8), SEEDS)
def test_lazily_it_chooses_as_the_naive_greedy(m: int, s: int, n: int, seed: int) -> None:
    pool, support = images(m, 12, seed), images(s, 12, seed + 1)
    held = nearest(pool, support).similarities
    found = herd(pool, held, n)
    values, covered = kernel(pool), start(pool, held)
    rows, reached = naive(values, covered, min(n, m))
    assert len(set(found.rows.tolist())) == len(found.rows) == min(n, m)
    # Where the two differ first, their gains do not; what they choose after that may.
    pairs = zip(found.rows.tolist(), rows, strict=True)
    same = next((place for place, (one, other) in enumerate(pairs) if one != other), len(rows))
    assert found.coverage[: same + 1].tolist() == pytest.approx(reached[: same + 1], abs=1e-5)
    if same < len(rows):
        before = np.maximum(covered, values[found.rows[:same].numpy()].max(0, initial=0))
        chosen = (int(found.rows[same]), rows[same])
        gains = [float(np.maximum(values[row], before).mean()) for row in chosen]
        assert gains[0] == pytest.approx(gains[1], abs=1e-5)


@settings(deadline=None)
@given(st.integers(1, 30), st.integers(0, 5), SEEDS)
def test_gains_only_shrink_and_add_up_to_the_coverage(m: int, s: int, seed: int) -> None:
    pool, support = images(m, 12, seed), images(s, 12, seed + 1)
    found = herd(pool, nearest(pool, support).similarities, m)
    gains = found.gains.numpy()
    assert (gains >= 0).all()
    assert (np.diff(gains) <= 2e-6).all()
    assert np.diff(found.coverage.numpy()) == pytest.approx(gains[1:], abs=1e-6)
    assert found.coverage[-1] == pytest.approx(1, abs=1e-4)  # all of it stands for itself


@settings(deadline=None, max_examples=50)
@given(st.integers(3, 9), st.integers(0, 3), st.integers(1, 4), SEEDS)
def test_it_gains_what_the_bound_of_submodular_functions_promises(
    m: int, s: int, n: int, seed: int
) -> None:
    pool, support = images(m, 12, seed), images(s, 12, seed + 1)
    held = nearest(pool, support).similarities
    found = herd(pool, held, n)
    values, covered = kernel(pool), start(pool, held)
    most = max(
        float(np.maximum(values[list(rows)].max(axis=0), covered).mean())
        for rows in itertools.combinations(range(m), min(n, m))
    )
    gained = float(found.coverage[-1]) - covered.mean()
    assert gained >= (1 - 1 / math.e) * (most - covered.mean()) - 1e-5
    assert float(found.coverage[-1]) <= most + 1e-5


@settings(deadline=None)
@given(st.integers(1, 12), SEEDS)
def test_copies_are_never_chosen_twice(m: int, seed: int) -> None:
    pool = images(m, 12, seed)
    twice = torch.cat([pool, copies(pool, seed), pool])
    found = herd(twice, nearest(twice, images(0, 12, 0)).similarities, 3 * m)
    assert sorted((found.rows % m).tolist()) == list(range(m))
    chosen = twice[found.rows]
    others = (chosen @ chosen.T).fill_diagonal_(-1)
    assert float(others.max()) < 1 - SAME_PICTURE


def test_copies_of_support_images_are_never_chosen() -> None:
    pool = images(10, 12, 3)
    support = copies(pool[:4], 4)
    near = nearest(pool, support)
    assert near.same_picture.tolist() == [True] * 4 + [False] * 6
    assert near.rows[:4].tolist() == [0, 1, 2, 3]
    found = herd(pool, near.similarities, 10)
    assert sorted(found.rows.tolist()) == [4, 5, 6, 7, 8, 9]


def test_of_equals_the_first_is_chosen() -> None:
    square = torch.eye(4)  # each stands for itself alone, and equally well
    found = herd(square, torch.full((4,), -1.0), 4)
    assert found.rows.tolist() == [0, 1, 2, 3]


def test_what_the_support_covers_is_left_for_later() -> None:
    kinds = images(2, 12, 0)
    pool = normalize(kinds[[0] * 9 + [1] * 3] + 0.2 * images(12, 12, 1), dim=1)
    assert herd(pool, torch.full((12,), -1.0), 1).rows.item() < 9
    for kind, rows in ((0, {9, 10, 11}), (1, set(range(9)))):
        beside = herd(pool, nearest(pool, kinds[[kind]]).similarities, 1)
        assert beside.rows.item() in rows


@settings(deadline=None)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=24), st.integers(1, 5), SEEDS)
def test_a_class_is_herded_as_if_it_were_alone(classes: list[int], n: int, seed: int) -> None:
    labels = torch.tensor(classes)
    pool = images(len(labels), 12, seed)
    held = nearest(pool, images(2, 12, seed + 1)).similarities
    found = herd_classes(pool, labels, held, n)
    turns: dict[int, int] = {}
    order = []
    for row, gain in zip(found.rows.tolist(), found.gains.tolist(), strict=True):
        label = classes[row]
        order.append((turns.setdefault(label, 0), -gain))
        turns[label] += 1
    assert order == sorted(order)  # one of each class before the second of any
    for label in set(classes):
        own = (labels == label).nonzero().flatten()
        alone = herd(pool[own], held[own], n)
        mine = labels[found.rows] == label
        assert found.rows[mine].tolist() == own[alone.rows].tolist()
        assert found.coverage[mine].tolist() == alone.coverage.tolist()


@pytest.mark.parametrize("n", [0, 1, 5])
def test_pools_of_nothing_and_of_one_picture(n: int) -> None:
    none = herd(torch.empty(0, 12), torch.empty(0), n)
    assert none.rows.tolist() == none.coverage.tolist() == []
    same = images(1, 12, 0).repeat(6, 1)
    assert herd(same, torch.full((6,), -1.0), n).rows.tolist() == [0][:n]
    labels = torch.empty(0, dtype=torch.int64)
    assert len(herd_classes(torch.empty(0, 12), labels, torch.empty(0), n).rows) == 0


def test_large_pools_are_covered_by_a_part_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = images(400, 12, 0)
    held = torch.full((400,), -1.0)
    whole = herd(pool, held, 20)
    monkeypatch.setattr(herding, "REFERENCES", 100)
    part = herd(pool, held, 20)
    values = kernel(pool)

    def covers(rows: Tensor) -> float:
        return float(values[rows.numpy()].max(axis=0).mean())

    assert covers(part.rows) >= 0.9 * covers(whole.rows)


def test_nearest_is_of_all_support_images() -> None:
    pool, support = images(300, 12, 0), images(9000, 12, 1)
    near = nearest(pool, support)
    products = pool @ support.T
    assert torch.equal(near.rows, products.argmax(dim=1))
    assert torch.allclose(near.similarities, products.amax(dim=1))
