"""Routines of LAPACK by their addresses, against NumPy."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import numpy as np
from hypothesis import given, settings
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from adapters import lapack

sizes = st.integers(1, 40)
rows = st.integers(1, 30)
seeds = st.integers(0, 1000)
real_types = st.sampled_from([np.float32, np.float64])


def drawn(seed: int, real: type[np.floating[Any]], *shape: int) -> NDArray[Any]:
    return np.random.default_rng(seed).standard_normal(shape).astype(real)


def positive(seed: int, real: type[np.floating[Any]], r: int) -> NDArray[Any]:
    x = drawn(seed, real, r + 5, r)
    return x.T @ x + np.eye(r, dtype=real)


def close(actual: NDArray[Any], expected: NDArray[Any]) -> None:
    tolerance = 1e-3 if actual.dtype == np.float32 else 1e-9
    assert_allclose(
        actual, expected, rtol=tolerance, atol=tolerance * max(1, np.abs(expected).max())
    )


@settings(max_examples=60, deadline=None)
@given(r=sizes, m=rows, seed=seeds, real=real_types)
def test_factors_solve_and_invert(r: int, m: int, seed: int, real: Any) -> None:
    a = positive(seed, real, r)
    upper = a.copy()
    assert lapack.factorise(upper)
    u = np.triu(upper)
    close(u.T @ u, a)
    x = drawn(seed + 1, real, m, r)
    solved, back = x.copy(), x.copy()
    lapack.solve_rows(upper, solved)
    close(solved @ u, x)
    lapack.solve_rows(upper, back, back=True)
    close(back @ u.T, x)
    wide = drawn(seed + 2, real, r, m + 3)
    some = wide.copy()
    lapack.solve_columns(upper, some[:, 1 : m + 1])  # columns among others
    close(u.T @ some[:, 1 : m + 1], wide[:, 1 : m + 1])
    assert np.array_equal(some[:, m + 1 :], wide[:, m + 1 :])
    lapack.invert(upper)
    lapack.mirror(upper)
    close(upper @ a, np.eye(r, dtype=real))


@settings(max_examples=60, deadline=None)
@given(r=st.sampled_from([1, 5, 127, 128, 129, 300]), m=rows, seed=seeds, real=real_types)
def test_products_are_added_to_the_upper_triangle(r: int, m: int, seed: int, real: Any) -> None:
    x = drawn(seed, real, m, r)
    total = np.zeros((r, r), real)
    lapack.add_products(x, total)
    lapack.add_products(x, total)
    assert not np.tril(total, -1).any()
    lapack.mirror(total)
    close(total, 2 * x.T @ x)
    assert np.array_equal(total, total.T)


@settings(max_examples=60, deadline=None)
@given(r=sizes, rank=st.integers(1, 40), seed=seeds)
def test_pivoting_passes_over_what_adds_nothing(r: int, rank: int, seed: int) -> None:
    x = drawn(seed, np.float64, r, rank)
    gram = x @ x.T
    upper = gram.copy()
    order, found = lapack.factorise_pivoted(upper, 1e-9 * float(gram.diagonal().max()))
    assert found == np.linalg.matrix_rank(gram, tol=1e-9 * float(gram.diagonal().max()))
    assert sorted(order.tolist()) == list(range(r))
    u = np.triu(upper)[:found]
    close(u.T @ u, gram[np.ix_(order, order)])


def test_what_is_not_positive_definite_is_said_to_be_so() -> None:
    assert not lapack.factorise(-np.eye(3))
