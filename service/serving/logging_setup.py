"""Logging: what the service says of itself on standard error."""

from __future__ import annotations

import logging


def configure_logging() -> None:
    """Set up logging for this process."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s: %(name)s: %(message)s")
    for chatty in ("alembic", "faiss", "service.storage.failures.BoundedPool"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
