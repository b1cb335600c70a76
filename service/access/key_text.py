"""Keys as they are written: a prefix that secret scanners know, a public id, a secret.

``handful_<id>_<secret>``: the id finds the key without a search among digests and stands in lists,
logs and the audit log; the secret has 256 bits of the system's generator. Only a digest of the
whole is stored. A password hash would add nothing: nobody can try 2**256 secrets, however quickly
(OWASP ASVS 5.0, 6.5.2: from 112 bits on a standard hash suffices), and whoever sends wrong keys
would have the service pay some ten milliseconds for each.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from typing import NamedTuple

PREFIX = "handful"
_ID_BYTES = 8
_SECRET_BYTES = 32
_KEY = re.compile(rf"{PREFIX}_([0-9a-f]{{{2 * _ID_BYTES}}})_[A-Za-z0-9_-]{{43}}")
# In the place of a digest where there is no such key: the comparison takes place all the same.
_NONE = bytes(hashlib.sha256().digest_size)


class NewKey(NamedTuple):
    """A key that was just made: the only time that its text is there.

    Attributes:
        key_id: Its public id.
        text: What its holder sends.
        digest: What is stored.
    """

    key_id: str
    text: str
    digest: bytes


def new_key() -> NewKey:
    """Make a key."""
    key_id = secrets.token_hex(_ID_BYTES)
    text = f"{PREFIX}_{key_id}_{secrets.token_urlsafe(_SECRET_BYTES)}"
    return NewKey(key_id, text, _digest(text))


def id_of(text: str) -> str | None:
    """The public id in a key; None where that is no key at all."""
    found = _KEY.fullmatch(text)
    return found[1] if found else None


def matches(text: str, digest: bytes | None) -> bool:
    """Whether a key is the one of that digest, in a time that does not depend on how near it is.

    Args:
        text: What was sent.
        digest: What is stored; None: nothing is.
    """
    return hmac.compare_digest(_digest(text), digest or _NONE) and digest is not None


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
