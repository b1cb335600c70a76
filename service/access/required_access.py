"""Required access: what a principal must be allowed, by the method and path of a request."""

from __future__ import annotations

import re
from dataclasses import dataclass

from service.access.principal import Scope

# What anybody may ask: probes of orchestrators, how the service is used, the studio's own files.
_OPEN = frozenset({"/", "/healthz", "/readyz", "/openapi.json", "/docs", "/redoc", "/studio"})
_PAGES = ("/docs/", "/redoc/", "/static-offline-docs/", "/studio/")
# Who begins a session has none yet; it tells of nobody but who asks.
_SESSION = "/v1/session"
# Of the service as a whole, with the figures of all tenants in it.
_OPERATING = frozenset({"/metrics", "/v1/re-embedding"})
_ADMINISTERING = re.compile(r"/v1/(?:keys|audit)(?:/|$)")
# Posts that register nothing: they ask about images.
_ASKING = re.compile(r"/(?:predict|suggest|similar|embeddings)$")
_CLASSIFIER = re.compile(r"/v1/classifiers/([^/]+)")
# What a page of pictures asks for by dozens at a time, without being able to wait and ask again.
_THUMBNAIL = re.compile(r"/v1/classifiers/[^/]+/(?:images|inbox)/[^/]+/thumbnail$")
_SAFE = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class RequiredAccess:
    """What a request needs.

    Attributes:
        scope: Of the key.
        operator: Whether the key must be an operator's.
        classifier: Bare name of the classifier in the path; None: there is none.
        is_counted: Whether the request is one of those that a second may have.
    """

    scope: Scope
    operator: bool = False
    classifier: str | None = None
    is_counted: bool = True


def required_access(method: str, path: str) -> RequiredAccess | None:
    """What a request needs; None: anybody may send it.

    A path that no route has needs a key as well: whatever is added later is not open by mistake.

    Args:
        method: In capitals.
        path: Decoded once, without the root path.
    """
    if method == "OPTIONS" or (method in _SAFE and (path in _OPEN or path.startswith(_PAGES))):
        return None
    if path == _SESSION:
        return None
    if path in _OPERATING:
        return RequiredAccess(Scope.ADMIN, operator=True)
    if _ADMINISTERING.match(path):
        return RequiredAccess(Scope.ADMIN)
    found = _CLASSIFIER.match(path)
    classifier = found[1] if found else None
    if method in _SAFE:
        is_counted = _THUMBNAIL.match(path) is None
        return RequiredAccess(Scope.READ, classifier=classifier, is_counted=is_counted)
    if method == "POST" and _ASKING.search(path) and "/classes/" not in path:
        return RequiredAccess(Scope.PREDICT, classifier=classifier)
    return RequiredAccess(Scope.WRITE, classifier=classifier)
