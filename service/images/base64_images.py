"""Base64 text and data URIs (RFC 2397) sent in place of an image: recognised, to say so."""

from __future__ import annotations

import base64
import binascii
import re

from service.images.formats import sniff_format

_DATA_URI = re.compile(rb"data:[\w/+.;=-]*?(;base64)?,", re.IGNORECASE)
_LOOKED_AT = 128


def describe_base64(content: bytes) -> str | None:
    """Recognise an image that was encoded as text, and say how to decode it.

    Returns:
        The end of a sentence that begins with the name of the image; None if it is something else.
    """
    text = content[: 4 * _LOOKED_AT].lstrip(b"\xef\xbb\xbf \t\r\n\"'")
    uri = _DATA_URI.match(text)
    encoded = b"".join(text[uri.end() if uri else 0 :].split())[:_LOOKED_AT]
    encoded = encoded.translate(bytes.maketrans(b"-_", b"+/"))
    try:
        decoded = base64.b64decode(encoded[: len(encoded) // 4 * 4], validate=True)
    except (binascii.Error, ValueError):
        return None
    kind = sniff_format(decoded)
    if kind is None:
        return None
    what = "a data URI with" if uri else "the base64 text of"
    return (
        f"is {what} a {kind.title} image. Send the bytes that it stands for: "
        + ("what comes after the comma, " if uri else "")
        + "decoded with `base64 -d` or, in Python, base64.b64decode."
    )
