"""What every replica's process needs, before anything else."""

from __future__ import annotations

import os

from service.serving.logging_setup import configure_logging
from service.settings import Settings


def prepare_replica(settings: Settings) -> None:
    """Set up logging, and make what is created here nobody else's business."""
    os.umask(os.umask(0o077) | 0o077)
    configure_logging(settings)
