"""Who may ask for labels: whoever may ask the classifier for predictions."""

from __future__ import annotations

from service.access.principal import Scope
from service.access.required_access import RequiredAccess


def required_access(method: str, path: str) -> RequiredAccess:
    """What a request to ``/photoprism/CLASSIFIER`` needs.

    Args:
        method: In capitals; whichever it is, nothing but predicting is done here.
        path: Decoded once, without the root path.
    """
    return RequiredAccess(
        Scope.PREDICT, classifier=path.split("/")[2] if path.count("/") > 1 else None
    )
