"""Fingerprint of a request: what tells another one under the same ``Idempotency-Key``.

A digest of method, path, parameters, media type and body. Each sending of a form has another random
boundary (RFC 2046, 5.1.1), which is left out, so that a client may build the same form again.
"""

from __future__ import annotations

import hashlib
import re

from starlette.datastructures import Headers
from starlette.types import Scope

_BOUNDARY = re.compile(r'boundary="?([^";,\s]{1,70})"?', re.IGNORECASE)


class RequestFingerprint:
    """The fingerprint of a request whose body comes piece by piece.

    Args:
        scope: ASGI's.

    Attributes:
        whole: Whether all of the body has come.
    """

    def __init__(self, scope: Scope) -> None:
        content_type = Headers(scope=scope).get("content-type", "")
        found = _BOUNDARY.search(content_type)
        self._boundary = found[1].encode() if found else b""
        self._left = b""
        self._digest = hashlib.sha256()
        self.whole = False
        for part in (
            scope["method"],
            scope["path"],
            scope["query_string"].decode("latin-1"),
            content_type.partition(";")[0].strip().lower(),
        ):
            self._digest.update(part.encode("utf-8", "surrogatepass") + b"\n")
        self._head = self._digest.copy()

    def feed(self, piece: bytes, *, more: bool) -> None:
        """Take in the next piece of the body.

        Args:
            piece: Of the body.
            more: Whether there are more.
        """
        if self._boundary:
            *whole, rest = (self._left + piece).split(self._boundary)
            for one in whole:
                self._digest.update(one + b"--")
            # What may be the beginning of a boundary waits for the rest of it.
            kept = min(len(rest), len(self._boundary) - 1) if more else 0
            self._digest.update(rest[: len(rest) - kept])
            self._left = rest[len(rest) - kept :]
        else:
            self._digest.update(piece)
        self.whole = not more

    def of_head(self) -> str:
        """That of a request whose body nobody reads."""
        return self._head.hexdigest()

    def __call__(self) -> str:
        """The fingerprint, as far as the body was read: all of it, or nothing."""
        return self._digest.hexdigest() if self.whole else self.of_head()
