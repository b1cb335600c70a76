"""Logging: what the service says of itself on standard error."""

from __future__ import annotations

from service.settings import Settings
from service.telemetry.logs import configure


def configure_logging(settings: Settings) -> None:
    """Set up logging for this process."""
    configure(settings.log_format, settings.log_level)
