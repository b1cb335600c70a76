"""PhotoPrism: a classifier as a vision service that labels its pictures (docs/integrations)."""

from __future__ import annotations

from service.api.integration import Integration
from service.integrations.photoprism.access import required_access
from service.integrations.photoprism.answers import as_vision_error
from service.integrations.photoprism.routes import PREFIX, router
from service.settings import Settings


def integration(settings: Settings) -> Integration:
    """The integration; no setting changes it."""
    return Integration(
        name="photoprism",
        prefix=PREFIX,
        router=router,
        required_access=required_access,
        errors=as_vision_error,
    )
