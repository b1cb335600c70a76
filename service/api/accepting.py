"""Content negotiation (RFC 9110, 12.5): which of two representations a client prefers."""

from __future__ import annotations

import re

_WEIGHT = re.compile(r";\s*q=(\d(?:\.\d{0,3})?)\s*(?:;|$)", re.IGNORECASE)


def takes_gzip(accept_encoding: str) -> bool:
    """Whether an answer may be compressed by gzip."""
    weights = _weights(accept_encoding)
    return weights.get("gzip", weights.get("*", 0.0)) > 0


def prefers_html(accept: str) -> bool:
    """Whether a page is preferred to JSON, as browsers do; what takes anything gets JSON."""
    weights = _weights(accept)
    json = max(weights.get(kind, 0.0) for kind in ("application/json", "application/*"))
    return weights.get("text/html", 0.0) > json


def _weights(field: str) -> dict[str, float]:
    """What a header field names, in small letters, each with its weight."""
    found = {}
    for one in field.split(","):
        named, _, parameters = one.partition(";")
        weight = _WEIGHT.search(f";{parameters}")
        found[named.strip().lower()] = float(weight[1]) if weight else 1.0
    return found
