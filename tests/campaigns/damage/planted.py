"""Bugs to be planted in a service, each of which the campaign has to find."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from service.storage import loaded_rows, rows
from service.storage.contents import Contents, KeptBytes
from service.storage.damage import scrubbing


def unchecked() -> None:
    """Nothing is compared with what was written, neither by the check nor by who reads it."""

    def nothing(*_: Any, **__: Any) -> list[Any]:
        return []

    def as_it_is(_: Contents, held: KeptBytes) -> bytes:
        return held.content

    setattr(Contents, "read", as_it_is)  # noqa: B010
    setattr(scrubbing, "find_damage", nothing)  # noqa: B010
    unchecked_reads()


def unchecked_reads() -> None:
    """Who answers does not compare embeddings with what was written; the check does, later."""

    def always(*_: Any) -> bool:
        return True

    setattr(rows, "is_as_written", always)  # noqa: B010
    setattr(loaded_rows, "is_as_written", always)  # noqa: B010


PLANTED: Mapping[str, Callable[[], None]] = {
    "unchecked": unchecked,
    "unchecked-reads": unchecked_reads,
}
"""By the name that ``--planted`` takes."""
