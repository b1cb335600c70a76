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

    def whatever(*_: Any) -> Any:
        return _Same()

    def as_it_is(_: Contents, held: KeptBytes) -> bytes:
        return held.content

    setattr(Contents, "read", as_it_is)  # noqa: B010
    setattr(scrubbing, "find_damage", nothing)  # noqa: B010
    setattr(rows, "checksum", whatever)  # noqa: B010
    setattr(loaded_rows, "checksum", whatever)  # noqa: B010


class _Same:
    """Equal to everything."""

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False

    __hash__ = None  # type: ignore[assignment]


PLANTED: Mapping[str, Callable[[], None]] = {"unchecked": unchecked}
"""By the name that ``--planted`` takes."""
