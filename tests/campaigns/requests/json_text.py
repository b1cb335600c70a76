"""JSON made wrong: values that hurt in any place, and texts that are no JSON any more."""

from __future__ import annotations

import json
import random
from typing import Any

from tests.campaigns.requests.dictionary import NUMBERS, TEXTS

# What stands for a piece of text that no value is written as.
_PLACE = "@@{}@@"


def mutated(document: Any, draw: random.Random) -> bytes:
    """The text of a document in which some things are wrong; or which is none."""
    pieces: list[str] = []
    for _ in range(draw.choice((0, 1, 1, 1, 2, 4))):
        document = _changed(document, draw, pieces)
    text = json.dumps(document)  # lone surrogates as escapes
    for place, piece in enumerate(pieces):
        text = text.replace(f'"{_PLACE.format(place)}"', piece)
    written = text.encode("utf-8", "surrogatepass")
    return _damaged(written, draw) if draw.random() < 0.25 else written


def _changed(document: Any, draw: random.Random, pieces: list[str]) -> Any:
    """The document with another value somewhere; what holds it is copied."""
    if isinstance(document, dict) and document and draw.random() < 0.85:
        name = draw.choice(list(document))
        match draw.randrange(12):
            case 0:
                return {key: value for key, value in document.items() if key != name}
            case 1:
                return document | {draw.choice((*TEXTS, name.upper())): _hurting(draw, pieces)}
        return document | {name: _changed(document[name], draw, pieces)}
    if isinstance(document, list) and document and draw.random() < 0.85:
        place = draw.randrange(len(document))
        match draw.randrange(12):
            case 0:
                return document[:place] + document[place + 1 :]
            case 1:
                return document * draw.choice((2, 50))
        new = _changed(document[place], draw, pieces)
        return [*document[:place], new, *document[place + 1 :]]
    if isinstance(document, str) and draw.random() < 0.3:
        at = draw.randrange(len(document) + 1)
        return document[:at] + draw.choice(TEXTS) + document[at + draw.randrange(3) :]
    return _hurting(draw, pieces)


def _hurting(draw: random.Random, pieces: list[str]) -> Any:
    match draw.randrange(10):
        case 0 | 1 | 2:
            return draw.choice(TEXTS)
        case 3 | 4 | 5:
            return _written(draw.choice(NUMBERS), pieces)
        case 6:
            depth = draw.choice((2, 20, 300, 5000))
            opening, closing = draw.choice((("[", "]"), ('{"a":', "}")))
            return _written(opening * depth + "1" + closing * depth, pieces)
        case 7:
            return _written('{"id":1,"id":2,"name":"a","name":"b"}', pieces)
        case 8:
            return draw.choice(([], {}, [[]], [{}], {"id": []}, {"": None}, [None] * 5, [1, "a"]))
    return draw.choice((None, True, False))


def _written(piece: str, pieces: list[str]) -> str:
    pieces.append(piece)
    return _PLACE.format(len(pieces) - 1)


def _damaged(written: bytes, draw: random.Random) -> bytes:
    at = draw.randrange(len(written) + 1)
    match draw.randrange(9):
        case 0:
            return written[:at]
        case 1:
            return written[:at] + draw.randbytes(draw.randrange(1, 4)) + written[at:]
        case 2:
            return b"\xef\xbb\xbf" + written
        case 3:
            return written.decode("utf-8", "replace").encode(draw.choice(("utf-16", "utf-32")))
        case 4:
            return written + draw.choice((b" x", b"{}", b",", b"\0", b"\n" * 3000))
        case 5:
            return written.replace(b'"', b"'", 2)
        case 6:
            return draw.choice((b"", b" ", b"null", b"[]", b'""', b"0", b"{", b"[" * 20_000))
        case 7:
            return written.replace(b":", b": \x00", 1)
    return b"[" * draw.choice((10, 2000)) + written
