# ruff: noqa: E501 - tables
"""Bytes that are no request, or of which parsers may disagree where one ends and another begins."""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.campaigns.requests.request import Request

_SMUGGLED = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n"
_LENGTHS = (
    b"0", b"-1", b"+5", b"5, 5", b"5,6", b"0x5", b"1e1", b" 5 ", b"", b"5 6", b"9" * 30, b"18446744073709551616",
    b"\xb2", b"5\x00", b"1_0",
)  # fmt: skip
_CODINGS = (
    b"chunked", b"Chunked", b"chunked, chunked", b"gzip, chunked", b"chunked, gzip", b"identity", b"xchunked",
    b"chunked;a", b" chunked", b"\x0bchunked", b"", b"chunked\x00",
)  # fmt: skip
_VERSIONS = (
    b"HTTP/1.0", b"HTTP/0.9", b"HTTP/2.0", b"HTTP/1.2", b"HTTP/11", b"http/1.1", b"HTTP/1.", b"", b"HTTPS/1.1", b"RTSP/1.0",
    b"HTTP/1.1 ", b"HTTP/1.1\x00", b"ICE/1.0",
)  # fmt: skip


def ill_framed(request: Request, draw: random.Random) -> bytes:
    """The bytes of a request with something wrong about its framing; nothing follows them."""
    if request.method == b"HEAD":
        request.method = b"GET"  # so that answers can be told apart without knowing what was asked
    return draw.choice(_MAKERS)(request, draw)


def _lengths(request: Request, draw: random.Random) -> bytes:
    framing = [(b"content-length", b"%d" % len(request.body))]
    framing.append((draw.choice((b"content-length", b"Content-Length ")), draw.choice(_LENGTHS)))
    draw.shuffle(framing)
    return request.head(*framing[: draw.randrange(1, 3)]) + request.body + _smuggled(draw)


def _both(request: Request, draw: random.Random) -> bytes:
    framing = [
        (b"content-length", b"%d" % draw.choice((0, 5, len(request.body)))),
        (b"transfer-encoding", draw.choice(_CODINGS)),
    ]
    draw.shuffle(framing)
    body = _chunks(request.body, draw) if draw.random() < 0.6 else request.body
    return request.head(*framing) + body + _smuggled(draw)


def _chunked(request: Request, draw: random.Random) -> bytes:
    head = request.head((b"transfer-encoding", draw.choice((b"chunked", *_CODINGS))))
    return head + _chunks(request.body, draw) + _smuggled(draw)


def _chunks(body: bytes, draw: random.Random) -> bytes:
    """The body in chunks, of which some may be wrong."""
    pieces, at = [], 0
    while at < len(body):
        piece = body[at : at + draw.choice((1, 100, 5000, 70_000))]
        at += len(piece)
        size = b"%x" % len(piece)
        if draw.random() < 0.05:
            size = draw.choice((b"-1", b"0x5", b"g", b"", b"f" * 20, b" 5", size + b" ", b"0"))
        extension = draw.choice((b"", b"", b"", b";a=b", b';a="\r\n"', b";" * 300, b" ;a"))
        end = b"\r\n" if draw.random() < 0.97 else draw.choice((b"\n", b"", b"\rX", b"\r\n\r\n"))
        pieces.append(size + extension + b"\r\n" + piece + end)
        if len(pieces) > 50:
            pieces.append(b"%x\r\n" % len(body[at:]) + body[at:] + b"\r\n" if body[at:] else b"")
            break
    trailer = draw.choice((b"", b"", b"a: b\r\n", b"content-length: 5\r\n", b"x: y\r\n" * 3000))
    last = draw.choice((b"0\r\n", b"0\r\n", b"0;a\r\n", b"00\r\n", b"", b"0\n"))
    return b"".join(pieces) + last + trailer + b"\r\n"


def _request_line(request: Request, draw: random.Random) -> bytes:
    method, _, rest = request.rendered().partition(b" ")
    target, _, rest = rest.partition(b" HTTP/1.1")
    space = draw.choice((b" ", b"  ", b"\t", b"\x0b", b""))
    match draw.randrange(6):
        case 0:
            return method + b" " + target + b" " + draw.choice(_VERSIONS) + rest
        case 1:
            return method + space + target + space + b"HTTP/1.1" + rest
        case 2:
            wrong = (b"get", b"GE\xff", b"", b"G\0T", b"PRI", b"CONNECT", b"A" * 5000, b"M-SEARCH")
            return draw.choice(wrong) + b" " + target + b" HTTP/1.1" + rest
        case 3:
            target += draw.choice((b"\0", b"\x7f", b" a", b"\r", b"\xff\xfe", b"\n", b"\t"))
        case 4:
            target = draw.choice(
                (b"", b"a", b"?", b"\\", b"//", b"http://", b"x:y", b"/" + b"a" * 70_000)
            )
        case 5:
            return draw.choice((b"\r\n", b"\n", b"\0", b" ", b"\r\n" * 40_000)) + request.rendered()
    return method + b" " + target + b" HTTP/1.1" + rest


def _fields(request: Request, draw: random.Random) -> bytes:
    wrong = draw.choice(
        (
            b"a: b\r\n c: d", b"a : b", b" a: b", b": b", b"a", b"a\0: b", b"a: \0", b"a:\x0b b", b"a: b\rc: d",
            b"a: b\nc: d", b"\xff: a", b"a: " + b"b" * 70_000, b"host: other", b"a: \r\n\t\r\n b", b"content-length\t: 5",
            b"x" * 70_000 + b": a", b"(a): b", b'"a": b', b"a:b:c", b"a: \x7f", b"transfer-encoding\x0b: chunked",
        )
    )  # fmt: skip
    head, _, body = request.rendered().partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    lines.insert(draw.randrange(1, len(lines) + 1), wrong)
    if draw.random() < 0.2:
        lines = [one for one in lines if not one.lower().startswith(b"host:")]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def _line_ends(request: Request, draw: random.Random) -> bytes:
    head, _, body = request.rendered().partition(b"\r\n\r\n")
    end = draw.choice((b"\n", b"\r", b"\r\r\n", b"\n\r", b"\0\r\n", b"\x0b\r\n"))
    lines = head.split(b"\r\n")
    if draw.random() < 0.5:
        return end.join(lines) + end * 2 + body
    at = draw.randrange(len(lines))
    return b"\r\n".join(lines[: at + 1]) + end + b"\r\n".join(lines[at + 1 :]) + b"\r\n\r\n" + body


def _bytes(request: Request, draw: random.Random) -> bytes:
    changed = bytearray(request.rendered())
    near = min(len(changed), 300)
    for _ in range(draw.randrange(1, 6)):
        at = draw.randrange(near)
        match draw.randrange(4):
            case 0:
                changed[at] = draw.randrange(256)
            case 1:
                del changed[at : at + draw.randrange(1, 9)]
                near = max(1, min(len(changed), 300))
            case 2:
                changed[at:at] = draw.choice((b"\r\n", b"\0", b":", b" ", b"\r\n\r\n", b"\n"))
            case 3:
                changed[at] ^= 1 << draw.randrange(8)
    return bytes(changed)


def _noise(_: Request, draw: random.Random) -> bytes:
    return draw.choice(
        (
            draw.randbytes(draw.randrange(1, 300)),
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + draw.randbytes(300),  # TLS
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + draw.randbytes(30),
            b"\0" * 1000,
            b"GET" * 30_000,
        )
    )


def _too_many(request: Request, draw: random.Random) -> bytes:
    return _SMUGGLED * draw.choice((9, 12, 40)) + request.rendered()


def _smuggled(draw: random.Random) -> bytes:
    return _SMUGGLED if draw.random() < 0.5 else b""


_MAKERS: tuple[Callable[[Request, random.Random], bytes], ...] = (
    _lengths, _both, _chunked, _chunked, _request_line, _fields, _line_ends, _bytes, _bytes, _noise, _too_many,
)  # fmt: skip
