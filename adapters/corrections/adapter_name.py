"""What stands in the place of an adapter's path, where none was trained."""

from __future__ import annotations

from pathlib import Path

NO_ADAPTER = "none"
"""No adapter, not even the backbone's own."""
ISOCLIP = "isoclip"
"""The correction that needs no training: :class:`adapters.corrections.isoclip.IsoClip`."""


def adapter_file(adapter: str | None) -> Path | None:
    """The file of an adapter as it was asked for; None where it is one of the names, or nothing."""
    return None if adapter in (None, "", NO_ADAPTER, ISOCLIP) else Path(str(adapter))
