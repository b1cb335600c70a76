"""JSON whose long strings stay where they are is read as any other reader reads it."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.json_documents import _LONG, LongString, read_document
from service.problems import InvalidRequest, RequestTooLarge

LONG = st.builds(
    lambda text, times, end: text * times + end,
    st.sampled_from(["Q", 'a"', "\\", "/é", "\n"]),
    st.integers(_LONG // 3, 2 * _LONG),
    st.sampled_from(["", '"', "\\"]),
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | LONG,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


def whole(value: Any) -> Any:
    if isinstance(value, LongString):
        return value.text()
    if isinstance(value, list):
        return [whole(one) for one in value]
    if isinstance(value, dict):
        return {name: whole(one) for name, one in value.items()}
    return value


@given(st.dictionaries(st.text(max_size=5), VALUES, max_size=4), st.booleans())
def test_it_is_read_as_by_others(document: dict[str, Any], ascii_only: bool) -> None:
    body = json.dumps(document, ensure_ascii=ascii_only, allow_nan=False).encode()
    assert whole(read_document(body)) == json.loads(body)


@given(st.text('{}[]",:\\u0041aé 1.eNI-', max_size=30).map(lambda t: t.replace("a", "a" * _LONG)))
def test_what_others_refuse_is_refused(text: str) -> None:
    body = text.encode()
    try:
        found = whole(read_document(body))
    except InvalidRequest:
        pass  # what is refused, the other test tells
    else:
        assert found == json.loads(body)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "no JSON"),
        (b"[1]", "no object"),
        (b'{"a": "' + b"x" * 1000, "does not end"),
        (b'{"a": 1} x', "Extra data"),
        (b'\xef\xbb\xbf{"a": 1}', "BOM"),
        (b'{"a": "\xff"}', "UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "UTF-8"),
        (b'{"images": [{"a": {"b": 1, "b": 2}}]}', "images[0].a.b is there twice"),
        (b'{"images": [1, NaN]}', "images[1] is NaN"),
        (b'{"images": [-Infinity]}', "images[0] is NaN or infinite"),
        (rb'{"images": [{"filename": "\ud800"}]}', "images[0].filename holds half of a character"),
        (rb'{"\udc00": 1}', "holds half of a character"),
        (b'{"%s": 1}' % (b"x" * 1000), "very long name"),
        (b'{"a":' * 900 + b"1" + b"}" * 900, "nested too deeply"),
        (b"[" * 90_000, "nested too deeply"),
    ],
)
def test_it_is_said_where_something_is_wrong(body: bytes, told: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_document(body)
    assert told in (caught.value.detail or "")


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": [' + b"1," * 200_000 + b"1]}",
        b'{"a": "' + b'\\"' * 500_000 + b'"}',
        b" " * 5_000_000,
        b'{"a": ' + b"1" * 5_000_000 + b"}",
        b'["' + b'","' * 500_000 + b'"]',
    ],
    ids=["values", "escaped quotes", "spaces", "digits", "strings"],
)
def test_what_would_take_long_is_refused(body: bytes) -> None:
    with pytest.raises(RequestTooLarge):
        read_document(body)


def test_a_long_string_is_not_copied() -> None:
    body = b'{"data": "%s", "b": [1e400, %s]}' % (b"Q" * 10_000_000, b"1" * 5000)
    document = read_document(body)
    data = document["data"]
    assert isinstance(data, LongString)
    assert data.body is body
    assert data.content() == b"Q" * 10_000_000
    assert document["b"] == [math.inf, math.inf]


def test_escapes_of_a_long_string_are_undone() -> None:
    body = json.dumps({"a": "ab/" * 400}).replace("/", "\\/").encode()
    content = read_document(body)["a"]
    with pytest.raises(ValueError, match="escapes"):
        content.content()  # far more than base64 has
    body = json.dumps({"a": ("a" * 63 + "/") * 40}).replace("/", "\\/").encode()
    assert read_document(body)["a"].content() == (b"a" * 63 + b"/") * 40
