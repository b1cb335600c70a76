"""Why a database is not embedded anew, for whoever asks at a terminal."""

from __future__ import annotations

from service.storage.errors import StorageError


class ReEmbeddingError(StorageError):
    """It is not, or not by this service."""


class NoService(ReEmbeddingError):
    """Nobody answers at the address."""
