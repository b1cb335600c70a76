"""Sources: hosts that images may be fetched from, as they are written in the settings."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator
from pydantic_settings import NoDecode

PORTS = {"https": 443, "http": 80}
_SOURCE = re.compile(
    r"(?:(?P<scheme>https?)://)?(?P<below>\*\.)?"
    r"(?P<host>[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?/?"
)


@dataclass(frozen=True, slots=True)
class Source:
    """A host that images may be fetched from.

    Attributes:
        scheme: ``https`` or ``http``.
        host: Its name, or an address; in ASCII and small letters.
        port: Its port.
        below: Whether all names below it are meant, in place of itself.
    """

    scheme: str
    host: str
    port: int
    below: bool = False

    @classmethod
    def read(cls, written: str) -> Self:
        """From ``[https://|http://][*.]HOST[:PORT]``; HTTPS and its port are the defaults.

        Raises:
            ValueError: It is none.
        """
        found = _SOURCE.fullmatch(written.lower())
        if found is None or not 0 < int(found["port"] or 1) < 2**16:
            raise ValueError(
                f"{written!r} is no host to fetch from: write images.example.com,"
                " *.example.com, images.example.com:8443 or http://images.example.com"
            )
        scheme = found["scheme"] or "https"
        port = int(found["port"] or PORTS[scheme])
        return cls(scheme, found["host"].strip("[]"), port, found["below"] is not None)

    def holds(self, scheme: str, host: str, port: int) -> bool:
        """Whether it is the origin of a URL."""
        if (scheme, port) != (self.scheme, self.port):
            return False
        return host.endswith(f".{self.host}") if self.below else host == self.host


def _split(value: object) -> object:
    if not isinstance(value, str):
        return value
    return [part.strip() for part in value.split(",") if part.strip()]


def _checked(value: str) -> str:
    Source.read(value)
    return value


#: A list that is separated by commas where it is written as text.
Sources = Annotated[
    list[Annotated[str, AfterValidator(_checked)]], NoDecode, BeforeValidator(_split)
]
