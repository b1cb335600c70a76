"""Rows of embeddings in JSON: as numbers, or as base64 of float32."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from service.api.json_documents import LongString
from service.images.base64_text import decode_base64

# How far from 1 a norm may be: embeddings that were kept as float16 are within it.
_TOLERANCE = 1e-3
# Within what float32 rounds to a row is left as it is, so that it is what was embedded, bit by bit.
_ROUNDING = 1e-6
_TYPE = np.dtype("<f4")


class RowError(ValueError):
    """It is no unit vector of that width; the message is a phrase that follows its name."""


def embedding_row(written: Sequence[float] | str | LongString, width: int) -> NDArray[np.float32]:
    """A unit vector, normalised where it is one but for rounding.

    Args:
        written: Numbers, or base64 of as many float32 (little-endian).
        width: How many.

    Raises:
        RowError: It is none.
    """
    if isinstance(written, str | LongString):
        row = _from_base64(written, width)
    else:
        row = _from_numbers(written, width)
    if not np.isfinite(row).all():
        raise RowError("holds numbers that are not finite")
    norm = float(np.linalg.norm(row.astype(float)))
    if math.isinf(norm) or abs(norm - 1) > _TOLERANCE:
        raise RowError(f"has the norm {norm:.4g}; embeddings are unit vectors: divide it by that")
    if abs(norm - 1) > _ROUNDING:
        row = row / np.float32(norm)
    return np.ascontiguousarray(row, np.float32)


def encoded_row(row: NDArray[np.float32]) -> bytes:
    """The bytes of float32, little-endian, of which base64 is written."""
    return row.astype(_TYPE).tobytes()


def _from_numbers(numbers: Sequence[float], width: int) -> NDArray[np.float32]:
    if len(numbers) != width:
        raise RowError(f"has {len(numbers)} numbers; embeddings of this backbone have {width}")
    for place, number in enumerate(numbers):
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise RowError(f"holds something that is no number at place {place}")
    with np.errstate(over="ignore"):
        return np.array(numbers, np.float64).astype(np.float32)


def _from_base64(text: str | LongString, width: int) -> NDArray[np.float32]:
    if len(text) > 16 * width + 16:
        raise RowError(f"is too long: {width} float32 have {4 * width} bytes")
    try:
        content = decode_base64(text.content() if isinstance(text, LongString) else text.encode())
    except ValueError as error:
        raise RowError(str(error)) from error
    if len(content) != 4 * width:
        raise RowError(
            f"stands for {len(content)} bytes; embeddings of this backbone are {width} float32,"
            f" which have {4 * width}"
        )
    return np.frombuffer(content, _TYPE).astype(np.float32)
