"""How long to wait for a database that did not answer the last time."""

from __future__ import annotations

from time import monotonic

# What is waited while it is known to be away; and how long that is known without another try.
_SHORT = 0.1
_KNOWN = 5.0


class Patience:
    """A circuit breaker for waits: one full wait in vain makes the following ones short.

    Without it, each of a hundred requests would wait as long as the first, and those behind them
    for all of theirs. A try that succeeds restores the full wait; so does time. Methods are
    atomic, and may be called from many threads.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lost_at: float | None = None

    @property
    def lost(self) -> bool:
        """Whether the last wait was in vain, not long ago."""
        lost_at = self._lost_at
        return lost_at is not None and monotonic() - lost_at < _KNOWN

    @property
    def seconds(self) -> float:
        """How long to wait now."""
        return min(_SHORT, self._seconds) if self.lost else self._seconds

    def lose(self) -> None:
        """Note that a wait was in vain."""
        self._lost_at = monotonic()

    def regain(self) -> None:
        """Note that there was an answer."""
        self._lost_at = None
