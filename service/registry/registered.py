"""What became of an uploaded image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from service.storage.records import SupportRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """What became of one uploaded image."""

    label: str
    filename: str
    record: SupportRecord
    created: bool

    @property
    def status(self) -> Literal["created", "duplicate"]:
        """Whether it was added, or is one that its class has already."""
        return "created" if self.created else "duplicate"
