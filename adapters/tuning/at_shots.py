"""What suits generic tasks, between the numbers of images a class that it was measured at."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Any, TypeVar


@dataclass(frozen=True, slots=True)
class AtShots:
    """What was measured at so many images a class; the other fields are numbers, or tuples of some.

    Attributes:
        shots: Images a class.
    """

    shots: float


Measured = TypeVar("Measured", bound=AtShots)


def interpolated(measured: Sequence[Measured], shots: float) -> Measured:
    """What is to be expected at a mean number of images a class, linear in its logarithm.

    Args:
        measured: In the order of their shots; outside of these, the first or the last of them.
        shots: Images a class.
    """
    if shots <= measured[0].shots:
        return measured[0]
    for fewer, more in pairwise(measured):
        if shots <= more.shots:
            at = math.log(shots / fewer.shots) / math.log(more.shots / fewer.shots)
            names = [field.name for field in fields(fewer) if field.name != "shots"]
            between = {n: _between(getattr(fewer, n), getattr(more, n), at) for n in names}
            return replace(fewer, shots=shots, **between)
    return measured[-1]


def _between(fewer: Any, more: Any, at: float) -> Any:
    if isinstance(fewer, tuple):
        return tuple(_between(a, b, at) for a, b in zip(fewer, more, strict=True))
    return fewer + at * (more - fewer)
