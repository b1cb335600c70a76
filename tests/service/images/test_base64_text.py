"""Base64 as RFC 4648 has it: what an encoder writes, and nothing else."""

from __future__ import annotations

import base64
import binascii
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.images.base64_text import (
    _PIECE,
    Base64Error,
    decode_base64,
    decoded_size,
    without_uri,
)


@given(st.binary(max_size=300))
def test_what_encoders_write_is_decoded(content: bytes) -> None:
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        text = encode(content)
        assert decode_base64(text) == content
        assert decode_base64(text.rstrip(b"=")) == content
        assert len(content) <= decoded_size(text) <= len(content) + 5


@given(st.text("ABQgwz019+/-_=\n ", max_size=12) | st.text(max_size=6))
def test_nothing_else_is(text: str) -> None:
    raw = text.encode(errors="replace")
    try:
        content = decode_base64(raw)
    except Base64Error:
        # It is what no encoder writes: decoded and encoded again it is another text.
        padded = raw.rstrip(b"=") + b"=" * (-len(raw.rstrip(b"=")) % 4)
        for decode, encode in (
            (base64.standard_b64decode, base64.standard_b64encode),
            (base64.urlsafe_b64decode, base64.urlsafe_b64encode),
        ):
            try:
                again = encode(decode(padded))
            except (binascii.Error, ValueError):
                continue
            assert again != padded or raw not in (padded, padded.rstrip(b"="))
    else:
        written = {base64.b64encode(content), base64.urlsafe_b64encode(content)}
        assert raw in written | {one.rstrip(b"=") for one in written}


@pytest.mark.parametrize("size", [_PIECE // 4 * 3 + more for more in (-1, 0, 1, 2)])
def test_pieces_are_put_together(size: int) -> None:
    content = bytes(range(256)) * (size // 256) + bytes(size % 256)
    assert decode_base64(base64.b64encode(content)) == content


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"AAAA\nAAAA", "line break at character 4"),
        (b"AA AA", "space"),
        (b"AA==AA==", "padding at character 2"),
        (b"A", "cut short"),
        (b"AAA==", "padding"),
        (b"AB==", "no byte"),
        (b"+_AA", "mixes"),
        (b"AA%3D", "'%'"),
        ("é".encode(), "character 0"),
    ],
)
def test_it_is_said_what_is_wrong(text: bytes, told: str) -> None:
    with pytest.raises(Base64Error, match=re.escape(told)):
        decode_base64(text)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"data:;base64,",
        b"data:image/png;base64,",
        b"DATA:image/png;Charset=utf-8;BASE64,",
    ],
)
def test_data_uris_are_taken_apart(head: bytes) -> None:
    assert without_uri(head + b"QUJD") == b"QUJD"


@pytest.mark.parametrize("uri", [b"data:image/png,QUJD", b"data:QUJD", b"data:;base64;a=b,QUJD"])
def test_other_data_uris_are_refused(uri: bytes) -> None:
    with pytest.raises(Base64Error, match="data URI"):
        without_uri(uri)
