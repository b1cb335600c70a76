"""A request has one fingerprint, however its body comes and whatever its boundary is."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from service.api.request_fingerprint import RequestFingerprint

TEXT = st.binary(max_size=30) | st.text("ab-\r\n", max_size=30).map(str.encode)


def fingerprint(pieces: list[bytes], content_type: str = "image/png", path: str = "/a") -> str:
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "query_string": b"",
        "headers": [(b"content-type", content_type.encode())],
    }
    made = RequestFingerprint(scope)
    for place, piece in enumerate(pieces):
        made.feed(piece, more=place < len(pieces) - 1)
    return made()


def form(parts: list[bytes], boundary: bytes) -> bytes:
    return b"".join(b"--" + boundary + b"\r\n\r\n" + one for one in parts) + b"--" + boundary


@given(st.lists(TEXT, min_size=1, max_size=4), st.lists(st.integers(0, 200), max_size=6))
def test_pieces_and_boundaries_do_not_matter(parts: list[bytes], cuts: list[int]) -> None:
    found = set()
    for boundary in (b"aabaab", b"zzzzzzzzzzzz"):
        if any(boundary in part for part in parts):
            continue
        body = form(parts, boundary)
        ends = sorted({min(cut, len(body)) for cut in cuts} | {0, len(body)})
        pieces = [body[a:b] for a, b in pairwise(ends)]
        content_type = f"multipart/form-data; boundary={boundary.decode()}"
        found.add(fingerprint(pieces, content_type))
        found.add(fingerprint([body], content_type))
    assert len(found) <= 1


@given(TEXT, TEXT)
def test_other_bodies_have_other_fingerprints(one: bytes, other: bytes) -> None:
    assert (fingerprint([one]) == fingerprint([other])) == (one == other)


def test_where_and_as_what_it_is_sent_counts() -> None:
    plain = fingerprint([b"x"])
    assert plain != fingerprint([b"x"], path="/b")
    assert plain != fingerprint([b"x"], "image/jpeg")
    assert plain == fingerprint([b"x"], "Image/PNG; a=b")
