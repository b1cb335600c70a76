"""Damage: bytes of the database, or of images outside it, that are not those that were written."""

from __future__ import annotations

from service.storage.damage.finding import MENDS, Damage, Found, Kind
from service.storage.damage.looking import find_damage
from service.storage.damage.scrubbing import Scrubber
from service.storage.damage.turns import CheckTurns, LastCheck

__all__ = [
    "MENDS",
    "CheckTurns",
    "Damage",
    "Found",
    "Kind",
    "LastCheck",
    "Scrubber",
    "find_damage",
]
