"""Bit-depth conversion: greys of other than eight bits as the eight that are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.images.containers.cleaned import Samples

Numbers = NDArray[Any]
Scale = Callable[[Numbers], NDArray[np.uint8]]


def scaling(samples: Samples, pieces: Iterable[Numbers]) -> Scale:
    """Choose which numbers are black and white, and return what makes levels of numbers.

    Unsigned numbers of up to 16 bits have the range of their bits. Others have the one that the
    file tells; floating-point numbers within 0..1 or 0..255 have that one; all else is stretched
    from its least to its greatest finite number, as viewers of such data do.

    Args:
        samples: What the file says of its numbers.
        pieces: All of them, in pieces, which are read only if they decide.
    """
    low, high = _range(samples, pieces)
    slope = 255 / (high - low) if high > low else 0.0
    # In float64, a piece at a time, where float32 would lose what tells numbers apart.
    exact = np.dtype(np.float64 if samples.bits > 16 else np.float32)

    def scaled(numbers: Numbers) -> NDArray[np.uint8]:
        with np.errstate(invalid="ignore", over="ignore"):
            levels: NDArray[np.floating] = (numbers.astype(exact) - low) * slope
        np.nan_to_num(levels, copy=False, nan=0, posinf=255, neginf=0)
        np.clip(levels, 0, 255, out=levels)
        shown: NDArray[np.uint8] = np.rint(levels).astype(np.uint8)
        return 255 - shown if samples.white_is_zero else shown

    return scaled


def _range(samples: Samples, pieces: Iterable[Numbers]) -> tuple[float, float]:
    if samples.kind == 1 and samples.bits <= 16:
        return 0.0, float(2**samples.bits - 1)
    if samples.low is not None and samples.high is not None:
        low, high = float(samples.low), float(samples.high)
        if np.isfinite([low, high]).all() and low < high:
            return low, high
    low, high = _extremes(pieces)
    if samples.kind == 3:
        for most in (1.0, 255.0):
            if low >= 0 and high <= most:
                return 0.0, most
    return low, high


def _extremes(pieces: Iterable[Numbers]) -> tuple[float, float]:
    low, high = np.inf, -np.inf
    for piece in pieces:
        finite = piece[np.isfinite(piece)]
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    # A difference that no number is large enough for is none that a viewer could show.
    return (low, high) if low <= high and np.isfinite(high - low) else (0.0, 1.0)
