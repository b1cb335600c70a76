"""Keys are written so that scanners find them, and match their own digest only."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from service.access.key_text import id_of, matches, new_key


def test_a_key_matches_its_digest_and_no_other() -> None:
    one, other = new_key(), new_key()
    assert matches(one.text, one.digest)
    assert not matches(one.text, other.digest)
    assert not matches(one.text, None)
    assert not matches(one.text, bytes(32))


def test_a_key_has_its_id_and_256_bits_beside_it() -> None:
    key = new_key()
    assert key.text.startswith(f"handful_{key.key_id}_")
    assert id_of(key.text) == key.key_id
    assert len(key.text.removeprefix(f"handful_{key.key_id}_")) == 43  # 32 bytes in base64url
    assert key.text.encode() not in key.digest


@given(st.text() | st.from_regex(r"handful_[0-9a-f]*_[A-Za-z0-9_-]*", fullmatch=True))
def test_what_is_no_key_has_no_id(text: str) -> None:
    key_id = id_of(text)
    assert key_id is None or (len(text) == 68 and text.split("_")[1] == key_id)
