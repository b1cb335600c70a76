"""Base64 (RFC 4648) and data URIs (RFC 2397): text that stands for the bytes of an image."""

from __future__ import annotations

import binascii
import io
import re

_ALPHABETS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_"
_PLACES = _ALPHABETS[:64]
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
# Characters that are decoded in one call, in which no other thread of Python runs: 2 ms of it.
_PIECE = 4 * 2**18
_URI = re.compile(rb"data:[^,;]*(?P<parameters>(?:;[^,;]*)*),", re.IGNORECASE)
# Of a data URI before its data.
_LONGEST_HEAD = 1024


class Base64Error(ValueError):
    """The text is no base64; the message is a phrase that follows what is called so."""


def decoded_size(text: bytes) -> int:
    """Bytes that a text of so many characters stands for, at most."""
    return len(text) // 4 * 3 + 2


def without_uri(text: bytes) -> bytes:
    """What stands in a data URI, or the text itself where it is none.

    Raises:
        Base64Error: The URI is not in base64.
    """
    if text[:5].lower() != b"data:":
        return text
    if (found := _URI.match(text, 0, _LONGEST_HEAD)) is None:
        raise Base64Error("is a data URI without a comma before its data")
    if not found["parameters"].lower().endswith(b";base64"):
        raise Base64Error("is a data URI that is not in base64; write data:image/jpeg;base64,...")
    return text[found.end() :]


def decode_base64(text: bytes) -> bytes:
    """The bytes that a text stands for, as strictly as RFC 4648 asks for.

    Either alphabet, the standard one (section 4) or the one that is safe in URLs (section 5), not
    both. Padding may be left out altogether. Line breaks and other characters are refused (3.3),
    and so are bits that no encoder sets (3.5): each of two texts stands for other bytes.

    Raises:
        Base64Error: It is none.
    """
    digits = text.rstrip(b"=")
    padding = len(text) - len(digits)
    if stranger := digits.translate(None, _ALPHABETS)[:1]:
        raise Base64Error(_unknown(digits, stranger))
    if (b"-" in digits or b"_" in digits) and (b"+" in digits or b"/" in digits):
        raise Base64Error("mixes the alphabets of base64: + and / with - and _")
    if len(digits) % 4 == 1 or padding not in {0, -len(digits) % 4}:
        raise Base64Error(
            f"is no base64: {len(digits)} characters and {padding} signs of padding do not end"
            " together. Perhaps it was cut short"
        )
    digits = digits.translate(_URL_SAFE)
    unused = {2: 0b1111, 3: 0b11}.get(len(digits) % 4, 0)
    if unused and _PLACES.index(digits[-1:]) & unused:
        raise Base64Error(
            "is no base64 that an encoder writes: its last character stands for bits of no byte."
            " Perhaps it was cut short"
        )
    whole = len(digits) // 4 * 4
    found = io.BytesIO()
    for begin in range(0, whole, _PIECE):
        found.write(binascii.a2b_base64(digits[begin : min(begin + _PIECE, whole)]))
    if rest := digits[whole:]:
        found.write(binascii.a2b_base64(rest + b"=" * (4 - len(rest))))
    return found.getvalue()


def _unknown(digits: bytes, stranger: bytes) -> str:
    place = digits.index(stranger)
    if stranger in b"\r\n \t":
        return (
            f"has a space or a line break at character {place}; base64 is written without (base64"
            " -w 0, or base64.b64encode in Python)"
        )
    if stranger == b"=":
        return f"has padding at character {place}, before its end"
    return f"is no base64: character {place} is {stranger.decode('latin-1')!r}"
