"""PhotoPrism: a classifier as a vision service that labels its pictures (docs/integrations)."""

from __future__ import annotations

from service.api.integration import Contract
from service.integrations.photoprism.access import required_access
from service.integrations.photoprism.answers import as_vision_error
from service.integrations.photoprism.routes import router
from service.settings import Settings


def contract(settings: Settings) -> Contract:
    """The contract; no setting changes it."""
    return Contract(
        router=router,
        required_access=required_access,
        errors=as_vision_error,
    )
