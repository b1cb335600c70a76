"""Addresses of the public internet, and all the ways to write another one."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.fetching.addresses import is_public

PUBLIC = ["93.184.216.34", "8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "64:ff9b::808:808"]
OTHERS = [
    *("0.0.0.0", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.255.255.255", "169.254.169.254"),
    *("172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.88.99.1", "192.168.1.1"),
    *("198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.1.1.1", "240.0.0.1"),
    *("255.255.255.255", "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:0:127.0.0.1"),
    *("64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b:1::808:808", "100::1", "fc00::1"),
    *("fd12:3456::1", "fe80::1", "fe80::1%eth0", "2606:4700::1%1", "fec0::1", "ff02::1", "ff0e::1"),
    *("2001::1", "2001:db8::1", "2002:7f00:1::", "2002:808:808::", "3fff::1", "4000::1"),
    *("", "localhost", "127.1", "0x7f000001", "2130706433", "017700000001", "8.8.8.8 ", "８.8.8.8"),
]  # fmt: skip


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", OTHERS)
def test_others_are_not(address: str) -> None:
    assert not is_public(address)


@given(st.integers(0, 2**32 - 1).map(IPv4Address))
def test_what_stands_for_an_address_is_as_public_as_it(address: IPv4Address) -> None:
    assert is_public(str(address)) <= address.is_global
    for prefix in ("::ffff:0:0", "64:ff9b::"):
        inside = IPv6Address(int(IPv6Address(prefix)) | int(address))
        assert is_public(str(inside)) == is_public(str(address))
    for prefix in ("::", "64:ff9b:1::", "::ffff:0:0:0"):
        inside = IPv6Address(int(IPv6Address(prefix)) | int(address))
        assert not is_public(str(inside))


@given(st.integers(0, 2**128 - 1).map(IPv6Address))
def test_public_ones_of_ipv6_are_global_unicast(address: IPv6Address) -> None:
    if is_public(str(address)):
        assert int(address) >> 125 == 1
        assert address.is_global
        assert not address.is_multicast
        assert not address.is_reserved
