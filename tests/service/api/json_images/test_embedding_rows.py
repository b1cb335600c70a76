"""Rows of embeddings: what float32 holds is kept bit by bit, and what is no unit vector refused."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from service.api.json_images.embedding_rows import RowError, embedding_row, encoded_row

ROWS = arrays.arrays(np.float32, st.integers(1, 40), elements=st.floats(-1, 1, width=32)).filter(
    lambda row: np.linalg.norm(row) > 0.1
)


@given(ROWS)
def test_unit_vectors_come_through_bit_by_bit(row: Any) -> None:
    unit = (row.astype(float) / np.linalg.norm(row.astype(float))).astype(np.float32)
    as_numbers = json.loads(json.dumps(unit.tolist()))
    as_base64 = base64.b64encode(encoded_row(unit)).decode()
    for written in (as_numbers, as_base64):
        assert embedding_row(written, len(unit)).tobytes() == unit.tobytes()


@given(ROWS, st.floats(0.9991, 1.0009))
def test_rounded_ones_are_normalised(row: Any, norm: float) -> None:
    unit = row.astype(float) / np.linalg.norm(row.astype(float))
    found = embedding_row((unit * norm).tolist(), len(unit))
    assert abs(np.linalg.norm(found.astype(float)) - 1) < 1e-5
    assert np.allclose(found, unit, atol=1e-5)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ([1.0], "has 1 numbers; embeddings of this backbone have 2"),
        ([1.0, 0.0, 0.0], "has 3 numbers"),
        ([1.0, 1.0], "norm 1.414"),
        ([0, 0], "norm 0"),
        ([1, True], "no number at place 1"),
        ([1, "0"], "no number at place 1"),
        ([1, None], "no number at place 1"),
        ([1.0, 1e400], "not finite"),
        ([1.0, 1e39], "not finite"),
        ([1e30, 1e30], "norm"),
        ("", "stands for 0 bytes"),
        ("AAAA", "stands for 3 bytes"),
        ("AAAA\n", "line break"),
        (base64.b64encode(np.array([1, 0, 0], "<f4").tobytes()).decode(), "stands for 12 bytes"),
        (base64.b64encode(np.array([np.nan, 0], "<f4").tobytes()).decode(), "not finite"),
        ("A" * 1000, "too long"),
    ],
)
def test_others_are_refused(written: Any, told: str) -> None:
    with pytest.raises(RowError, match=re.escape(told)):
        embedding_row(written, 2)
