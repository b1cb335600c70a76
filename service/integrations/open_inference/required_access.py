"""Required access of the Open Inference Protocol's paths."""

from __future__ import annotations

import re

from service.access.principal import Scope
from service.access.required_access import RequiredAccess

# What probes of orchestrators ask, and what tells of no classifier.
_OPEN = frozenset({"/v2", "/v2/health/live", "/v2/health/ready"})
_MODEL = re.compile(r"/v2/models/([^/]+)")
_SAFE = frozenset({"GET", "HEAD"})
_INDEX = "/v2/repository/index"


def required_access(method: str, path: str) -> RequiredAccess | None:
    """What a request needs; None: anybody may send it.

    Args:
        method: In capitals.
        path: Decoded once, without the root path.
    """
    if method in _SAFE and path in _OPEN:
        return None
    found = _MODEL.match(path)
    classifier = found[1] if found else None
    if method in _SAFE or path == _INDEX:
        return RequiredAccess(Scope.READ, classifier=classifier)
    if method == "POST" and path.endswith("/infer"):
        return RequiredAccess(Scope.PREDICT, classifier=classifier)
    return RequiredAccess(Scope.WRITE, classifier=classifier)
