"""Session tokens: what a browser that has logged in sends instead of its key.

A token has 256 bits of the system's generator; only its digest is stored, as that of a key is
(:mod:`service.access.key_text`). The CSRF token of a session is derived from it, so it needs no
place of its own: whoever cannot read the one, which no script can, cannot make the other.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable

COOKIE = "handful_session"
"""Name of the cookie that holds a token."""
CSRF_FIELD = "X-CSRF-Token"
"""Header field of the CSRF token."""
_BYTES = 32
_IN_COOKIES = re.compile(rb"(?:^|;)[ \t]*%s=([A-Za-z0-9_-]{43})[ \t]*(?:;|$)" % COOKIE.encode())


def new_token() -> str:
    """Make a session token."""
    return secrets.token_urlsafe(_BYTES)


def digest_of(token: str) -> str:
    """What is stored of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def csrf_token_of(token: str) -> str:
    """The CSRF token of a session."""
    return hmac.new(token.encode(), b"csrf", hashlib.sha256).hexdigest()


def token_in(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """The session token in the cookies of a request; None where there is none.

    Of several the first counts: browsers send the one of the longest path first (RFC 6265, 5.4),
    and that is this service's where others have the same name on another path of the host.
    """
    for name, value in headers:
        if name == b"cookie" and (found := _IN_COOKIES.search(value)):
            return found[1].decode()
    return None


def has_csrf_token_of(token: str, headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a request brings the CSRF token of its session."""
    expected, field = csrf_token_of(token).encode(), CSRF_FIELD.lower().encode()
    given = [value for name, value in headers if name == field]
    return len(given) == 1 and hmac.compare_digest(given[0], expected)
