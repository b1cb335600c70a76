"""JSON documents with long strings, such as images in base64: these stay where they are.

What is left without them is small, and parsed as ever. So a document of 256 MiB is in memory once,
and parsing it holds no other thread up; each long string is read when somebody needs it.
"""

from __future__ import annotations

import json
import re
import secrets
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from service.api.json_route import MOST_MARKS, check_json
from service.problems import InvalidRequest, RequestTooLarge

Path = tuple[str | int, ...]

# Bytes from which on a string stays where it is.
_LONG = 512
# What may be left without these: 100 000 numbers of as many digits as any needs.
_MOST_LEFT = 4 * 2**20
# Quotes that strings may have inside, and around them.
_MOST_QUOTES = 4 * MOST_MARKS
# Escapes of a long string: PHP writes each slash of base64 as one, which are 1 in 64 characters.
_ESCAPED = 16
_SURROGATE = re.compile("[\ud800-\udfff]")
_DIGITS = 30
_DEEPEST = 16
_SHOWN = 100


@dataclass(frozen=True, slots=True)
class LongString:
    """A string of a document, in its place.

    Attributes:
        body: The document.
        begin: Where it begins, behind its quote.
        end: Where it ends, before its quote.
    """

    body: bytes
    begin: int
    end: int

    def __len__(self) -> int:
        return self.end - self.begin

    def content(self) -> bytes:
        """What it stands for, if it is of ASCII: otherwise it may be anything; reads all of it.

        Raises:
            ValueError: It has escapes that are none, or too many.
        """
        raw = self.body[self.begin : self.end]
        if (escapes := raw.count(b"\\")) == 0:
            return raw
        if escapes > len(raw) // _ESCAPED:
            raise ValueError("has very many escapes (\\u0041); write its characters as they are")
        return self.text().encode()

    def beginning(self) -> str:
        """Its first few characters, as they are written."""
        return self.body[self.begin : min(self.end, self.begin + 16)].decode("latin-1")

    def text(self) -> str:
        """The string; of a long one this holds other threads up.

        Raises:
            ValueError: It is none, or holds half of a character.
        """
        try:
            text: str = json.loads(b'"%s"' % self.body[self.begin : self.end])
            text.encode()
        except ValueError as error:
            raise ValueError("is no string of JSON in UTF-8") from error
        return text


class _NotANumber:
    """In the place of NaN or Infinity, which are no JSON."""


class _Repeated(dict[str, Any]):
    """An object in which a name comes twice."""

    name = ""


def read_document(body: bytes) -> dict[str, Any]:
    """A JSON document (RFC 8259) whose long strings are left in it, as :class:`LongString`.

    Blocks: 0.1 s for 256 MiB, and as long again for the most values.

    Raises:
        InvalidRequest: It is none in UTF-8 or no object, or a name comes twice in an object, or it
            holds half of a character, or a number that is none; says where.
        RequestTooLarge: It has too many values.
    """
    left, strings, mark = _parted(body)
    check_json(
        left,
        "Write embeddings as base64 of float32 (little-endian) in place of numbers, or send fewer"
        " images in a request.",
    )

    def put_back(text: str, path: Path) -> str | LongString:
        if text.startswith(mark):
            return strings[int(text[len(mark) :])]
        if _SURROGATE.search(text):
            raise refusal([(path, "holds half of a character (a lone surrogate)")])
        return text

    try:
        document = _whole(_parsed(left, has_all=not strings), (), put_back)
    except RecursionError as error:
        raise InvalidRequest("The JSON is nested too deeply.") from error
    if not isinstance(document, dict):
        raise InvalidRequest('The JSON is no object. Send {"images": [...]}.')
    return document


def _parsed(left: bytes, *, has_all: bool) -> Any:
    try:
        return json.loads(
            left.decode(),
            object_pairs_hook=_object,
            parse_constant=lambda _: _NotANumber(),
            parse_int=lambda digits: int(digits) if len(digits) < _DIGITS else float(digits),
        )
    except UnicodeDecodeError as error:
        raise InvalidRequest("The body is no JSON in UTF-8.") from error
    except json.JSONDecodeError as error:
        where = f" at character {error.pos}" if has_all else ""
        raise InvalidRequest(f"The body is no JSON: {error.msg}{where}.") from error


def written(path: Path) -> str:
    """A place in a document, as it is written in JavaScript: ``images[3].data``."""
    steps = [f"[{step}]" if isinstance(step, int) else f".{step[:_SHOWN]}" for step in path]
    return "".join(steps).removeprefix(".") or "The JSON"


def refusal(faults: list[tuple[Path, str]]) -> InvalidRequest:
    """The problem of a document in which something is not as described.

    Args:
        faults: Places, each with what follows it in a sentence; one or more.
    """
    told = [(path, f"{written(path)} {reason}") for path, reason in faults[:20]]
    more = f" And {len(faults) - 5} more." if len(faults) > 5 else ""
    return InvalidRequest(
        "; ".join(sentence for _, sentence in told[:5]).encode(errors="replace").decode()
        + f".{more}",
        errors=[
            {
                "type": "invalid_value",
                "loc": ["body", *_writable(path)],
                "msg": sentence.encode(errors="replace").decode(),
            }
            for path, sentence in told
        ],
    )


def _writable(path: Path) -> list[str | int]:
    return [
        step if isinstance(step, int) else step[:_SHOWN].encode(errors="replace").decode()
        for step in path
    ]


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    repeated = _Repeated(found)
    counts = Counter(name for name, _ in pairs)
    repeated.name = max(counts, key=counts.__getitem__)
    return repeated


def _whole(value: Any, path: Path, put_back: Callable[[str, Path], Any]) -> Any:
    """A value with its long strings."""
    if len(path) > _DEEPEST:
        raise RecursionError
    if isinstance(value, str):
        return put_back(value, path)
    if isinstance(value, list):
        for place, inner in enumerate(value):
            if type(inner) is not float:
                value[place] = _whole(inner, (*path, place), put_back)
    elif isinstance(value, dict):
        _check_names(value, path, put_back)
        for name, inner in value.items():
            value[name] = _whole(inner, (*path, name), put_back)
    elif isinstance(value, _NotANumber):
        raise refusal([(path, "is NaN or infinite, which no JSON holds")])
    return value


def _check_names(found: dict[str, Any], path: Path, put_back: Callable[[str, Path], Any]) -> None:
    if isinstance(found, _Repeated):
        raise refusal([((*path, found.name), "is there twice")])
    for name in found:
        if not isinstance(put_back(name, path), str):
            raise refusal([(path, "has a member with a very long name")])


def _parted(body: bytes) -> tuple[bytes, list[LongString], str]:
    """A document without its long strings, these, and what stands before the number of each."""
    mark = f"{secrets.token_hex(16)}:"  # which no body holds: whoever wrote it could not know it
    strings: list[LongString] = []
    pieces: list[bytes] = []
    size = quotes = at = 0

    def keep(begin: int, end: int) -> None:
        nonlocal size
        size += end - begin
        if size > _MOST_LEFT:
            raise RequestTooLarge(
                f"The JSON has more than {_MOST_LEFT} bytes beside the data of images. Write "
                "embeddings as base64 of float32, or send fewer images in a request."
            )
        pieces.append(body[begin:end])

    begin = body.find(b'"')
    while begin >= 0:
        end, inside = _end_of_string(body, begin + 1, _MOST_QUOTES - quotes)
        quotes += inside
        if end < 0:
            raise InvalidRequest("The body is no JSON: a string does not end.")
        if quotes >= _MOST_QUOTES:
            raise RequestTooLarge(
                f"The JSON has more than {_MOST_QUOTES} quotes. Send fewer images in a request."
            )
        if end - begin > _LONG:
            keep(at, begin + 1)
            pieces.append(f"{mark}{len(strings)}".encode())
            strings.append(LongString(body, begin + 1, end))
            at = end
        begin = body.find(b'"', end + 1)
    keep(at, len(body))
    return b"".join(pieces), strings, mark


def _end_of_string(body: bytes, at: int, most: int) -> tuple[int, int]:
    """Where the quote is that ends a string, and how many quotes there were; −1: nowhere."""
    quotes = 0
    while (end := body.find(b'"', at)) >= 0:
        quotes += 1
        if body[end - 1] != 0x5C or quotes >= most:
            return end, quotes
        before = body[at:end]  # escaped by an odd number of backslashes
        if (len(before) - len(before.rstrip(b"\\"))) % 2 == 0:
            return end, quotes
        at = end + 1
    return -1, quotes
