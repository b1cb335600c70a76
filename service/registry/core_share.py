"""A share of a processor core, for a thread that works beside others' requests."""

from __future__ import annotations

import time
from collections.abc import Callable

# Seconds of a core that a thread has saved up once it has rested for long enough.
_SAVED = 0.02


class CoreShare:
    """A token bucket (RFC 2697) of seconds of a core: so many come each second, some are saved.

    What takes less than is saved is computed at once; whatever takes longer stays within the share.
    For one thread.

    Args:
        share: Of one core, over 0 and at most 1.
        clock: Seconds that pass.
        spent: Seconds that the thread has computed.
    """

    def __init__(
        self,
        share: float,
        clock: Callable[[], float] = time.monotonic,
        spent: Callable[[], float] = time.thread_time,
    ) -> None:
        self._share = share
        self._clock, self._spent = clock, spent
        self._saved = _SAVED
        self._then = self._now()

    def owed(self) -> float:
        """Seconds that the thread must sleep now; 0: none. To be asked before it computes, too."""
        now = self._now()
        passed, computed = (new - old for new, old in zip(now, self._then, strict=True))
        self._then = now
        self._saved = min(_SAVED, self._saved + self._share * passed - computed)
        return max(0.0, -self._saved / self._share)

    def _now(self) -> tuple[float, float]:
        return self._clock(), self._spent()
