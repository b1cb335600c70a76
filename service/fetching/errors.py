"""Why an image cannot be fetched."""

from __future__ import annotations


class FetchError(Exception):
    """An image cannot be fetched; the message is a phrase that follows what is called so."""
