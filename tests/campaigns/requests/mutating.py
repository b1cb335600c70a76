"""Mutations of a request that leave it well framed, so that it has to be answered."""

from __future__ import annotations

import gzip
import random
import zlib
from collections.abc import Callable
from urllib.parse import quote

from tests.campaigns.requests.bodies import Bodies
from tests.campaigns.requests.dictionary import (
    CODINGS,
    CREDENTIALS,
    FIELDS,
    HOSTS,
    MEDIA_TYPES,
    METHODS,
    NUMBERS,
    PATHS,
    TEXTS,
)
from tests.campaigns.requests.request import Request

_UNRESERVED = b"!$&'()*+,-./0123456789:;=@ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~%"
# A few kilobytes that decode to a hundred times as much.
_BOMB = gzip.compress(bytes(3_000_000), 9)


def mutated(request: Request, bodies: Bodies, draw: random.Random) -> None:
    """Make some things of a request wrong, or none."""
    for _ in range(draw.choice((0, 0, 1, 1, 1, 2, 3))):
        [change] = draw.choices(_CHANGES, _WEIGHTS)
        change(request, bodies, draw)


def _path(request: Request, _: Bodies, draw: random.Random) -> None:
    segments = request.path.split(b"/")
    place = draw.randrange(len(segments) > 1, len(segments))
    piece = draw.choice(PATHS)
    match draw.randrange(4):
        case 0:
            segments[place] = piece
        case 1:
            segments.insert(place, piece)
        case 2:
            segments[place] += piece
        case 3:
            segments[place] = b"".join(b"%%%02x" % one for one in segments[place])
    request.path = b"/".join(segments) or b"/"


def _whole_target(request: Request, _: Bodies, draw: random.Random) -> None:
    request.path = draw.choice(
        (
            b"/" + bytes(draw.choices(_UNRESERVED, k=draw.randrange(1, 60))),
            b"/" * draw.choice((2, 50, 5000)) + request.path,
            request.path + b"/a" * draw.choice((1, 100, 4000)),
            b"http://evil.example" + request.path,
            b"*",
            request.path + b"#a",
            b"//evil.example" + request.path,
            request.path.upper(),
        )
    )


def _query(request: Request, _: Bodies, draw: random.Random) -> None:
    parameters = request.query.split(b"&") if request.query else []
    text = draw.choice((*TEXTS, *NUMBERS))
    value = quote(text, safe="", errors="replace").encode()
    match draw.randrange(6):
        case 0 if parameters:
            parameters.append(draw.choice(parameters))
        case 1 if parameters:
            place = draw.randrange(len(parameters))
            parameters[place] = parameters[place].partition(b"=")[0] + b"=" + value
        case 2:
            parameters.append(value + b"=" + value)
        case 3:
            parameters += [b"a=1"] * draw.choice((1, 100, 1500))
        case 4:
            parameters.append(
                draw.choice((b"%", b"%zz", b"a=%ff", b"=", b"&&", b"a[]=1", b"?", b";"))
            )
        case _:
            name = draw.choice(
                (b"limit", b"cursor", b"top_k", b"evidence", b"n", b"to", b"days", b"wait")
            )
            parameters.append(name + b"=" + value)
    request.query = b"&".join(parameters)


def _field(request: Request, _: Bodies, draw: random.Random) -> None:
    name, values = draw.choice(FIELDS)
    request.fields.append((name, draw.choice(values)))


def _several_fields(request: Request, _: Bodies, draw: random.Random) -> None:
    match draw.randrange(3):
        case 0:
            request.fields += [(b"x-%d" % one, b"a") for one in range(draw.choice((50, 140)))]
        case 1 if request.fields:
            request.fields.append(draw.choice(request.fields))
        case _:
            several = draw.choices(FIELDS, k=draw.randrange(2, 8))
            request.fields += [(name, draw.choice(values)) for name, values in several]


def _credentials(request: Request, _: Bodies, draw: random.Random) -> None:
    name, value = draw.choice(CREDENTIALS)
    if draw.random() < 0.7:
        request.put(name, value)
    else:
        request.fields.append((name, value))


def _host(request: Request, _: Bodies, draw: random.Random) -> None:
    request.host = draw.choice(HOSTS)


def _method(request: Request, _: Bodies, draw: random.Random) -> None:
    request.method = draw.choice(METHODS)


def _media_type(request: Request, bodies: Bodies, draw: random.Random) -> None:
    request.put(b"content-type", draw.choice(MEDIA_TYPES))
    if draw.random() < 0.3:
        request.body = draw.choice((bodies.pictures, bodies.zips, bodies.forms))[0]


def _coding(request: Request, _: Bodies, draw: random.Random) -> None:
    coding = draw.choice(CODINGS)
    request.put(b"content-encoding", coding)
    if coding in {b"gzip", b"deflate"}:
        packed = (
            gzip.compress(request.body, 1) if coding == b"gzip" else zlib.compress(request.body)
        )
        match draw.randrange(6):
            case 0:
                packed = packed[: draw.randrange(len(packed) + 1)]
            case 1:
                packed = _BOMB
            case 2:
                packed += draw.choice((b"x", packed))
        request.body = packed


def _body(request: Request, bodies: Bodies, draw: random.Random) -> None:
    match draw.randrange(5):
        case 0:
            request.body = b""
        case 1:
            request.body = draw.randbytes(draw.randrange(1, 200))
        case 2:
            request.body = request.body[: draw.randrange(len(request.body) + 1)]
        case 3:
            request.body = draw.choice((*bodies.zips[:20], *bodies.forms[:20], *bodies.files[:20]))
        case 4:
            changed = bytearray(request.body or b"\0")
            for _ in range(draw.randrange(1, 5)):
                changed[draw.randrange(len(changed))] = draw.randrange(256)
            request.body = bytes(changed)


_Change = Callable[[Request, Bodies, random.Random], None]
_CHANGES: tuple[_Change, ...] = (
    _path, _whole_target, _query, _field, _several_fields, _credentials, _host, _method,
    _media_type, _coding, _body,
)  # fmt: skip
_WEIGHTS = (4, 1, 4, 4, 1, 2, 1, 1, 2, 2, 3)
