"""Hugging Face's inference shapes: image classification, and zero-shot by the text tower.

Whoever calls a hosted model by ``huggingface_hub.InferenceClient`` gives it the URL of a classifier
in place of the model's name.
"""

from __future__ import annotations

import re

from service.access.principal import Scope
from service.access.required_access import RequiredAccess
from service.api.integration import Contract
from service.integrations.hugging_face.routes import router
from service.settings import Settings

_CLASSIFIER = re.compile(r"/hugging-face/([^/]+)")
_SAFE = frozenset({"GET", "HEAD"})


def required_access(method: str, path: str) -> RequiredAccess:
    """What a request needs; nobody may ask without.

    Args:
        method: In capitals.
        path: Decoded once, without the root path.
    """
    found = _CLASSIFIER.match(path)
    scope = Scope.READ if method in _SAFE else Scope.PREDICT
    return RequiredAccess(scope, classifier=found[1] if found else None)


def contract(_: Settings) -> Contract:
    """The contract."""
    return Contract(
        router=router,
        required_access=required_access,
    )
