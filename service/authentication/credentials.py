"""Credentials of a request: a key, or what a trusted proxy says of who has signed in."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Collection, Iterable
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from service.access.principal import Principal, Scope
from service.name_validation import CLASSIFIER
from service.problems import KeyRequired, NotAllowed
from service.tenancy import DEFAULT_TENANT

Headers = Iterable[tuple[bytes, bytes]]

_TENANT = re.compile(CLASSIFIER)
_USER = re.compile(r"[^\x00-\x1f\x7f]{1,255}")
# Of whom the proxy says no more than who they are.
_LEAST = frozenset({Scope.READ, Scope.PREDICT})
_UNTRUSTED = (
    "This service is asked through a proxy that signs users in, and the request does not come from"
    " it. Use the proxy's address."
)


def key_in(headers: Headers, *, basic: bool = True) -> str | None:
    """The key that a request brings.

    As a bearer token (RFC 6750, 2.1), as ``x-api-key`` or, where there is neither, as the password
    of Basic authentication (RFC 7617), whoever the user is: some systems can send nothing else. A
    proxy's own Basic credentials do not count beside a key.

    Args:
        headers: Of the request.
        basic: Whether Basic authentication counts, which it does not beside a session's cookie.

    Raises:
        KeyRequired: It brings several: whoever reads another one than this does would take it for
            somebody else's. Or one that cannot be read.
    """
    keys = set[str]()
    passwords: list[str] = []
    for name, value in headers:
        if name == b"authorization":
            scheme, _, token = value.decode("latin-1").partition(" ")
            if scheme.lower() == "bearer":
                keys.add(token.strip())
            elif scheme.lower() == "basic" and basic:
                passwords.append(token.strip())
        elif name == b"x-api-key":
            keys.add(value.decode("latin-1").strip())
    if not keys:
        keys.update(map(_password, passwords))
    if len(keys) > 1:
        raise KeyRequired("The request brings different keys. Send one, in one header field.")
    return next(iter(keys), None)


def _password(credentials: str) -> str:
    try:
        _, colon, password = base64.b64decode(credentials, validate=True).partition(b":")
    except (binascii.Error, ValueError):
        colon = password = b""
    if not colon:
        raise KeyRequired(
            "The credentials of Authorization: Basic cannot be read. Send base64 of USER:KEY, of"
            " any user, or Authorization: Bearer KEY."
        )
    return password.decode("latin-1").strip()


class TrustedProxies:
    """Proxies that sign users in, and say who they are.

    They send ``X-Forwarded-User``, and may send ``X-Forwarded-Tenant`` (the default tenant without)
    and ``X-Forwarded-Scopes`` (read and predict without), separated by spaces or commas. A tenant
    that is empty is none, scopes that are empty allow nothing. Nobody else is believed, and nothing
    else is let in.

    Args:
        addresses: Addresses and networks; ``*`` for all.
    """

    def __init__(self, addresses: Collection[str]) -> None:
        self._networks: list[IPv4Network | IPv6Network] = [
            ip_network(one) for one in addresses if one != "*"
        ]
        self._all = "*" in addresses
        self._is_trusted = lru_cache(maxsize=1024)(self._within)

    def principal(self, peer: str | None, headers: Headers) -> Principal:
        """Who a request is from.

        Args:
            peer: Address of the other end of its connection.
            headers: Of the request.

        Raises:
            NotAllowed: It does not come from one of the proxies.
            KeyRequired: The proxy does not say who it is from, or not so that it can be read.
        """
        if peer is None or not self._is_trusted(peer):
            raise NotAllowed(_UNTRUSTED)
        user = _only(headers, b"x-forwarded-user")
        tenant = _only(headers, b"x-forwarded-tenant")
        scopes = _only(headers, b"x-forwarded-scopes")
        if not user or not _USER.fullmatch(user):
            raise KeyRequired("The proxy does not say who signed in, by one X-Forwarded-User.")
        if tenant == "":
            raise KeyRequired(
                "The proxy does not say whose classifiers the request is about: X-Forwarded-Tenant"
                " is empty. Let it send the tenant of whoever signed in, or refuse them."
            )
        if tenant is not None and not _TENANT.fullmatch(tenant):
            raise KeyRequired(
                "X-Forwarded-Tenant names no tenant: 1 to 64 letters, digits, '.', '_' or '-'."
            )
        whose = DEFAULT_TENANT if tenant is None else tenant
        return Principal(tenant=whose, user=user, scopes=_scopes(scopes))

    def _within(self, peer: str) -> bool:
        if self._all:
            return True
        try:
            address = ip_address(peer)
        except ValueError:
            return False
        return any(address in network for network in self._networks)


def _only(headers: Headers, name: bytes) -> str | None:
    """The value of a field that may come once.

    Raises:
        KeyRequired: It comes twice: one of them may be the client's own.
    """
    values = [value for field, value in headers if field == name]
    if len(values) > 1:
        raise KeyRequired(
            f"There is more than one {name.decode()}. Let the proxy take away what clients send."
        )
    return values[0].decode("latin-1").strip() if values else None


def _scopes(written: str | None) -> frozenset[Scope]:
    if written is None:
        return _LEAST
    known = {str(scope) for scope in Scope}
    return frozenset(Scope(one) for one in re.split(r"[\s,]+", written) if one in known)
