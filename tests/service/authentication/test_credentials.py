"""What header fields say of who asks, and whom they are believed from."""

from __future__ import annotations

import base64

import pytest

from service.access.principal import Scope
from service.authentication.credentials import TrustedProxies, key_in
from service.problems import KeyRequired, NotAllowed

USER = (b"x-forwarded-user", b"ann@example.com")


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({}, None),
        ({b"authorization": b"Bearer abc"}, "abc"),
        ({b"authorization": b"bearer  abc "}, "abc"),
        ({b"authorization": b"Digest abc"}, None),
        ({b"authorization": b"Basic " + base64.b64encode(b"any one:abc")}, "abc"),
        ({b"authorization": b"basic  " + base64.b64encode(b":a:bc")}, "a:bc"),
        ({b"authorization": b"Basic " + base64.b64encode(b"ann:abc"), b"x-api-key": b"def"}, "def"),
        ({b"x-api-key": b"abc"}, "abc"),
        ({b"authorization": b"Basic abc", b"x-api-key": b"def"}, "def"),
        ({b"x-api-key": b"abc", b"authorization": b"Bearer abc"}, "abc"),
        ({b"authorization": b"Bearer"}, ""),
    ],
)
def test_a_key_is_a_bearer_token_or_has_a_field_of_its_own(
    fields: dict[bytes, bytes], key: str | None
) -> None:
    assert key_in(list(fields.items())) == key


@pytest.mark.parametrize(
    "fields",
    [
        [(b"x-api-key", b"def"), (b"authorization", b"Bearer abc")],
        [(b"authorization", b"Bearer abc"), (b"authorization", b"Bearer def")],
        [(b"x-api-key", b"abc"), (b"x-api-key", b"def")],
        [(b"authorization", b"Basic OmFiYw=="), (b"authorization", b"Basic OmRlZg==")],
    ],
)
def test_different_keys_in_one_request_are_nobodys(fields: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(KeyRequired) as refused:
        key_in(fields)
    assert "different keys" in str(refused.value.detail)


@pytest.mark.parametrize("written", [b"", b"abc", b"OmFiYw", b"\xff\xfe", b"YWJj", b"!!!!"])
def test_basic_credentials_that_cannot_be_read_are_told(written: bytes) -> None:
    with pytest.raises(KeyRequired) as refused:
        key_in([(b"authorization", b"Basic " + written)])
    assert "base64 of USER:KEY" in str(refused.value.detail)


def test_a_trusted_proxy_says_who_asks() -> None:
    proxies = TrustedProxies(["10.0.0.0/8", "::1"])
    plain = proxies.principal("10.1.2.3", [USER])
    assert (plain.user, plain.tenant) == ("ann@example.com", "")
    assert plain.scopes == {Scope.READ, Scope.PREDICT}
    assert proxies.principal("::1", [USER, (b"x-forwarded-scopes", b" ")]).scopes == set()
    assert not plain.operates
    more = [USER, (b"x-forwarded-tenant", b"lab"), (b"x-forwarded-scopes", b"admin, read nothing")]
    told = proxies.principal("::1", more)
    assert told.tenant == "lab"
    assert told.scopes == {Scope.ADMIN, Scope.READ}
    assert not told.operates  # of its own tenant only


@pytest.mark.parametrize("peer", ["11.0.0.1", "::2", None, "somewhere", ""])
def test_nobody_else_is_believed(peer: str | None) -> None:
    with pytest.raises(NotAllowed):
        TrustedProxies(["10.0.0.0/8", "::1"]).principal(peer, [USER])


@pytest.mark.parametrize(
    "fields",
    [
        [],
        [(b"x-forwarded-user", b"")],
        [USER, (b"x-forwarded-user", b"root")],
        [USER, (b"x-forwarded-tenant", b"a/b")],
        [USER, (b"x-forwarded-tenant", b"")],
        [USER, (b"x-forwarded-tenant", b" ")],
        [USER, (b"x-forwarded-tenant", b"a"), (b"x-forwarded-tenant", b"b")],
        [(b"x-forwarded-user", b"a\x01b")],
    ],
)
def test_what_a_proxy_says_must_be_one_thing(fields: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(KeyRequired):
        TrustedProxies(["*"]).principal("1.2.3.4", fields)
