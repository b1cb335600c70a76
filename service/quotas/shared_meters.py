"""Buckets that processes of one machine share: a hash table in a file that all of them map."""

from __future__ import annotations

import fcntl
import mmap
import struct
from collections.abc import Callable, Sequence
from hashlib import blake2b
from pathlib import Path
from threading import Lock
from time import monotonic

from service.quotas.gcra import Balance, Charge, spend

# A slot: digest of a bucket's name, and when it is full again (CLOCK_MONOTONIC, one for all).
_SLOT = struct.Struct("=16sd")
_SLOTS = 2**16
# Slots from the first one that a bucket may be in. Of those that others have, full ones are free.
_PROBES = 32


class SharedMeters:
    """Buckets in a file; a lock on it is held for some microseconds, and ends with its process.

    Where all places of a bucket are taken it gets that of the one that is full again first: to the
    advantage of whoever had that, who would have had to wait least.

    Args:
        path: Of the file, which is made if it is not there.
        clock: Seconds, the same in all processes.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._threads = Lock()
        self._file = path.open("a+b")
        self._file.truncate(_SLOTS * _SLOT.size)  # zeros: all of them full
        self._map = mmap.mmap(self._file.fileno(), _SLOTS * _SLOT.size)

    def take(self, charges: Sequence[Charge]) -> list[Balance]:
        """Take all charges, or none; as :meth:`service.quotas.gcra.Meters.take`."""
        names = [_digest(one.bucket) for one in charges]
        with self._threads:
            fcntl.flock(self._file, fcntl.LOCK_EX)
            try:
                now = self._clock()
                places = [self._place(name, now) for name in names]
                spent = [
                    spend(one, full_at, now)
                    for one, (_, full_at) in zip(charges, places, strict=True)
                ]
                if not any(balance.wait for balance, _ in spent):
                    for name, (place, _), (_, full_at) in zip(names, places, spent, strict=True):
                        _SLOT.pack_into(self._map, place, name, full_at)
                return [balance for balance, _ in spent]
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)

    def _place(self, name: bytes, now: float) -> tuple[int, float]:
        """Where a bucket is or may be put, and when it is full again."""
        first = int.from_bytes(name[:4], "little")
        free, frees_at = -1, float("inf")
        for probe in range(_PROBES):
            at = (first + probe) % _SLOTS * _SLOT.size
            found, full_at = _SLOT.unpack_from(self._map, at)
            if found == name:
                return at, full_at
            if full_at < frees_at:
                free, frees_at = at, full_at
        return free, now


def _digest(name: str) -> bytes:
    return blake2b(name.encode(), digest_size=16).digest()
