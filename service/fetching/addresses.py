"""Which addresses a service may be made to connect to: those of the public internet alone."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

# Where an IPv6 address stands for one of IPv4: mapped (RFC 4291, 2.5.5.2), NAT64 (RFC 6052, 2.1).
_MAPPED = IPv6Network("::ffff:0:0/96")
_NAT64 = IPv6Network("64:ff9b::/96")
# Global unicast (RFC 4291, 2.4). Whatever else there is, nothing public is in it.
_GLOBAL = IPv6Network("2000::/3")
# In it, and public by nobody's word: 6to4 (RFC 3056) and Teredo (RFC 4380), which hold IPv4
# addresses, and what the registry of special-purpose addresses keeps (RFC 6890).
_SPECIAL = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",
            "2001:db8::/32",
            "2002::/16",
            "2620:4f:8000::/48",
            "3ffe::/16",
            "3fff::/20",
        ),
    )
)
# What `is_global` of Python's releases does not agree on (RFC 6890; RFC 7526, 8155).
_SPECIAL_V4 = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.31.196.0/24",
            "192.52.193.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "192.175.48.0/24",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/3",
        ),
    )
)


def is_public(address: str) -> bool:
    """Whether an address, as a resolver writes it, is one of the public internet.

    Private, loopback, link-local, shared, multicast, reserved and documentation addresses are none,
    and neither is what stands for one of them in IPv6, nor an address with a zone.
    """
    try:
        found = ip_address(address)
    except ValueError:
        return False
    if isinstance(found, IPv4Address):
        return _is_public_v4(found)
    if found.scope_id is not None:
        return False
    for network in (_MAPPED, _NAT64):
        if found in network:
            return _is_public_v4(IPv4Address(int(found) & 0xFFFFFFFF))
    return _is_public_v6(found)


def _is_public_v4(address: IPv4Address) -> bool:
    return address.is_global and not any(address in network for network in _SPECIAL_V4)


def _is_public_v6(address: IPv6Address) -> bool:
    special = any(address in network for network in _SPECIAL)
    return address in _GLOBAL and address.is_global and not special
