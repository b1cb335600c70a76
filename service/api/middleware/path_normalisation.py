"""Path normalisation attacks: a path is taken as it was sent, or refused (RFC 3986, section 6).

Clients and proxies rewrite what looks like folders: they remove dot segments, merge slashes, decode
and encode again. A path that such a rewriting could change is refused before it is routed, so that
a request acts upon what its sender named or upon nothing. What remains has one reading: decoding
each segment once gives its name, and no name holds a separator.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from starlette.types import ASGIApp, Receive, Scope, Send

from service.api.problem_documents import problem_answer
from service.problems import InvalidName, InvalidPath

_NOT_WRITABLE = re.compile(rb"[^\x21-\x7e]")
_NOT_ENCODED = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_SHOWN = 200


def decoded_path(raw: bytes) -> str:
    """Decode a path as it was sent, each segment once.

    One slash at the end is left alone: no route has it, so it is answered with 404.

    Args:
        raw: The path of the request target, percent-encoded, beginning with a slash.

    Raises:
        InvalidPath: Empty segments, an unfinished percent-encoding, or bytes that RFC 3986 has
            encoded.
        InvalidName: A segment that is a dot segment, holds a slash or backslash, or is no UTF-8,
            encoded or not.
    """
    shown = _shown(raw)
    if found := _NOT_WRITABLE.search(raw):
        raise InvalidPath(
            f"The path {shown} has the byte 0x{found[0].hex().upper()} as it is. Percent-encode"
            " it, as UTF-8."
        )
    if found := _NOT_ENCODED.search(raw):
        raise InvalidPath(
            f"The path {shown} has {_shown(raw[found.start() :][:3])}, which is no"
            " percent-encoding. Write a percent sign as %25."
        )
    segments = raw.split(b"/")[1:]
    if b"" in segments[:-1] or (len(segments) > 1 and segments[-2:] == [b"", b""]):
        raise InvalidPath(
            f"The path {shown} has an empty segment. Programs on the way merge slashes: write each"
            " once, and leave no name out."
        )
    return "/" + "/".join(_decoded_segment(segment) for segment in segments)


def _decoded_segment(segment: bytes) -> str:
    content = unquote_to_bytes(segment)
    try:
        name = content.decode()
    except UnicodeDecodeError:
        raise InvalidName(
            f"{_shown(segment)} cannot be a name in a path: it was not sent as UTF-8."
        ) from None
    if name in {".", ".."} or "/" in name or "\\" in name:
        raise InvalidName(
            f"{_shown(content)} cannot be a name in a path: slashes, '.' and '..' mean folders, and"
            " programs on the way rewrite paths that have them."
        )
    return name


def _shown(raw: bytes) -> str:
    text = raw.decode(errors="backslashreplace")
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")


class UnambiguousPaths:
    """ASGI middleware that refuses paths which ``decoded_path`` does not take."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, routed by the path as it was sent."""
        if scope["type"] == "http" and (raw := scope.get("raw_path", b"")).startswith(b"/"):
            # The root path is a setting, with which servers begin every path.
            prefix: str = scope.get("root_path", "")
            if not raw.startswith(prefix.encode() + b"/"):
                prefix = ""
            try:
                path = prefix + decoded_path(raw.removeprefix(prefix.encode()))
            except (InvalidName, InvalidPath) as problem:
                await problem_answer(problem)(scope, receive, send)
                return
            scope = {**scope, "path": path}
        await self.app(scope, receive, send)
