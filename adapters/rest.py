"""Long computations in parts, between which they can be held back."""

from __future__ import annotations

from collections.abc import Callable, Iterator

#: Called where a long computation can rest: between two of its parts, each of some milliseconds.
#: What it raises ends the computation.
Rest = Callable[[], None]

# Multiplications of a part: 3 to 6 ms of a core with AVX-512, 20 ms of a slow one.
_PART = 3e8


def no_rest() -> None:
    """Go on at once."""


def parts(n: int, cost: float, rest: Rest = no_rest) -> Iterator[slice]:
    """Slices of n rows, as many at a time as a part allows, with a rest after each.

    Args:
        n: Number of rows.
        cost: Multiplications in a matrix product that a row takes. An exponential counts as 16 of
            them, a number that is read and written as 4.
        rest: Called after each part.
    """
    step = max(int(_PART / max(cost, 1)), 1)
    for start in range(0, n, step):
        yield slice(start, min(start + step, n))
        rest()
