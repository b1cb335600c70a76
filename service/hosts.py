"""Hosts and origins: as they are written in settings, and as requests name them."""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator
from pydantic_settings import NoDecode

_PORTS = {"http": 80, "https": 443}
# uri-host [ ":" port ] of RFC 9110, 7.2; what a registered name may hold is left to whoever
# compares it.
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:/?#@\[\]]+)(?::([0-9]{0,5}))?")


def host_of(header: str) -> str | None:
    """The host that a ``Host`` header names, small and without its port; None if it names none."""
    found = _HOST.fullmatch(header)
    return found[1].lower().removesuffix(".").strip("[]") if found else None


def is_loopback(host: str) -> bool:
    """Whether a name or address is that of this machine itself (RFC 6761, RFC 6890)."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def origin_of(scheme: str, host: str) -> str | None:
    """The origin (RFC 6454, 6.2) of ``scheme://host``, as browsers write it; None if it is none.

    Args:
        scheme: In any case.
        host: A name or an address, with or without a port.
    """
    found = _HOST.fullmatch(host)
    if not found:
        return None
    scheme, name, port = scheme.lower(), found[1].lower(), found[2]
    if not name.isascii():
        try:
            name = name.encode("idna").decode()
        except UnicodeError:
            return None
    shown = "" if not port or int(port) == _PORTS.get(scheme) else f":{int(port)}"
    return f"{scheme}://{name}{shown}"


def split(value: object) -> object:
    """A list that is separated by commas where it is written as text."""
    if not isinstance(value, str):
        return value
    return [part.strip() for part in value.split(",") if part.strip()]


def _origin(value: str) -> str:
    if value == "*":
        return value
    parts = urlsplit(value)
    origin = origin_of(parts.scheme, parts.netloc) if parts.scheme else None
    if origin is None or parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise ValueError(
            f"{value!r} is no origin: write scheme, host and port, such as https://app.example.com"
        )
    return origin


def _host(value: str) -> str:
    name = value.removeprefix("*.")
    found = _HOST.fullmatch(name)
    if value != "*" and ("*" in name or found is None or found[0] != found[1]):
        raise ValueError(
            f"{value!r} is no host: write a name or an address without a port, such as"
            " api.example.com or *.example.com"
        )
    return value.lower().strip("[]")


def _address(value: str) -> str:
    if value != "*":
        try:
            ip_network(value)
        except ValueError as error:
            raise ValueError(
                f"{value!r} is no address or network, such as 10.0.0.7 or 10.0.0.0/8: {error}"
            ) from error
    return value


#: Lists that are separated by commas where they are written as text.
Origins = Annotated[list[Annotated[str, AfterValidator(_origin)]], NoDecode, BeforeValidator(split)]
Hosts = Annotated[list[Annotated[str, AfterValidator(_host)]], NoDecode, BeforeValidator(split)]
Addresses = Annotated[
    list[Annotated[str, AfterValidator(_address)]], NoDecode, BeforeValidator(split)
]
