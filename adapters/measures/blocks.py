"""Rows in blocks: products of all rows with all others, some hundred thousand values at a time."""

from __future__ import annotations

from collections.abc import Iterator

# Values held at a time: 2 MB of float32, which stay in the processor's cache.
_VALUES = 500_000


def row_blocks(n_rows: int, n_columns: int) -> Iterator[slice]:
    """Yield slices that cover ``n_rows``, each of so few rows that its product fits into memory.

    Args:
        n_rows: How many rows there are.
        n_columns: How many values each of them is going to have.
    """
    step = max(1, _VALUES // max(n_columns, 1))
    for start in range(0, n_rows, step):
        yield slice(start, min(start + step, n_rows))
