"""Elements of BYTES tensors in their binary form: a length of four bytes, then as many bytes.

As the binary tensor data extension has it, and gRPC's raw contents: little-endian, nothing between.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

_LENGTH = struct.Struct("<I")


class BinaryTensorError(ValueError):
    """Bytes that are no such tensor; the message is a phrase that follows what is called so."""


def elements_of(data: memoryview, count: int) -> list[memoryview]:
    """The elements of a tensor, none of them copied.

    Args:
        data: All of its bytes.
        count: How many elements its shape says it has.

    Raises:
        BinaryTensorError: It has not as many, or a length says something else than there is.
    """
    found: list[memoryview] = []
    at, end = 0, len(data)
    while len(found) < count:
        if end - at < _LENGTH.size:
            raise BinaryTensorError(
                f"ends after {len(found)} of the {count} elements that its shape tells of"
            )
        (size,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size
        if size > end - at:
            raise BinaryTensorError(
                f"has a length of {size} bytes before its element {len(found)}, and {end - at}"
                " bytes follow. Lengths are four bytes, little-endian"
            )
        found.append(data[at : at + size])
        at += size
    if at != end:
        raise BinaryTensorError(
            f"has {end - at} bytes more than the {count} elements that its shape tells of"
        )
    return found


def binary_of(elements: Sequence[bytes]) -> bytes:
    """A tensor of these elements."""
    return b"".join(part for one in elements for part in (_LENGTH.pack(len(one)), one))
