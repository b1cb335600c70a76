"""Bytes of images: in the database, in a folder, or in a bucket; rows say where each one's are."""

from __future__ import annotations

from service.storage.contents.contents import Contents
from service.storage.contents.kept_bytes import (
    HELD,
    HELD_OF_REMEMBERED,
    OBJECT,
    KeptBytes,
)
from service.storage.contents.placing import refer
from service.storage.contents.sweeping import Sweeper

__all__ = [
    "HELD",
    "HELD_OF_REMEMBERED",
    "OBJECT",
    "Contents",
    "KeptBytes",
    "Sweeper",
    "refer",
]
