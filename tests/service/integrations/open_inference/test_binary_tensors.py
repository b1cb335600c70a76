"""Elements of BYTES tensors: as Triton's client writes them, and as nobody should."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tritonclient.utils import deserialize_bytes_tensor, serialize_byte_tensor

from service.integrations.open_inference.binary_tensors import (
    BinaryTensorError,
    binary_of,
    elements_of,
)


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=20))
def test_what_the_client_writes_is_read_and_the_other_way_round(elements: list[bytes]) -> None:
    array = np.empty(len(elements), dtype=object)
    array[:] = elements
    written = serialize_byte_tensor(array).item()
    assert [bytes(one) for one in elements_of(memoryview(written), len(elements))] == elements
    assert binary_of(elements) == written
    assert deserialize_bytes_tensor(binary_of(elements)).tolist() == elements


@given(st.binary(max_size=200), st.integers(0, 50))
def test_of_any_bytes_either_all_is_an_element_or_nothing(data: bytes, count: int) -> None:
    try:
        found = elements_of(memoryview(data), count)
    except BinaryTensorError:
        return
    assert len(found) == count
    assert binary_of([bytes(one) for one in found]) == data


@pytest.mark.parametrize(
    ("data", "count", "told"),
    [
        (b"", 1, "ends after 0 of the 1 elements"),
        (b"\1\0\0", 1, "ends after 0 of the 1"),
        (struct.pack("<I", 2**32 - 1) + b"abc", 1, "length of 4294967295 bytes.*and 3 bytes"),
        (struct.pack(">I", 3) + b"abc", 1, "length of 50331648 bytes"),
        (struct.pack("<I", 3) + b"abcd", 1, "1 bytes more than the 1 elements"),
        (struct.pack("<I", 3) + b"abc", 2, "ends after 1 of the 2 elements"),
    ],
)
def test_lengths_that_lie_are_told(data: bytes, count: int, told: str) -> None:
    with pytest.raises(BinaryTensorError, match=told):
        elements_of(memoryview(data), count)


def test_elements_are_no_copies() -> None:
    data = binary_of([b"a" * 1000])
    [one] = elements_of(memoryview(data), 1)
    assert one.obj is data
