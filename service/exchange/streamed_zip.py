"""A zip that is written while it is sent: never more of it in memory than a piece."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from zipfile import ZIP_STORED, ZipFile, ZipInfo

PIECE = 2**20
"""Bytes of a piece, about."""

_OWNERS = 0o600 << 16


def streamed_zip(members: Iterable[tuple[str, Iterable[bytes]]]) -> Iterator[bytes]:
    """The bytes of a zip, in pieces; the same for the same members.

    Members are stored as they are: numbers and images hardly compress, and what is stored unpacks
    to no more than was sent.

    Args:
        members: Names with contents, each taken when its turn comes.
    """
    sink = _Sink()
    with ZipFile(sink, "w", ZIP_STORED) as archive:  # type: ignore[call-overload]
        for name, parts in members:
            info = ZipInfo(name)  # of 1980: no clock is in the bytes
            info.external_attr = _OWNERS
            with archive.open(info, "w", force_zip64=True) as member:
                for part in parts:
                    member.write(part)
                    if sink.nbytes >= PIECE:
                        yield sink.taken()
    yield sink.taken()


class _Sink:
    """What the archive is written to: keeps it until it is taken. It cannot seek, nor tell."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self.nbytes = 0

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        self.nbytes += len(data)
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def taken(self) -> bytes:
        joined = b"".join(self._parts)
        self._parts.clear()
        self.nbytes = 0
        return joined
