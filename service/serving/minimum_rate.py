"""A lower bound on how fast bytes move, as a leaky bucket of seconds."""

from __future__ import annotations


class MinimumRate:
    """Tells a transfer that is slow for long from one that pauses.

    Time takes seconds out of a bucket and bytes put them back, one second for ``rate`` of them,
    never above the ``grace`` that it begins with. So no pause is longer than the grace, and a
    transfer that lasts moves ``rate`` bytes a second on average, however fast it was before.
    Apache's mod_reqtimeout (``body=20,MinRate=500``) does the same without the upper bound, which
    lets a megabyte that came quickly pay for half an hour of silence.

    Args:
        grace: Seconds.
        rate: Bytes a second.
    """

    __slots__ = ("_grace", "_left", "_rate")

    def __init__(self, grace: float, rate: float) -> None:
        self._grace = grace
        self._rate = rate
        self._left = grace

    def renew(self) -> None:
        """Begin again."""
        self._left = self._grace

    def keeps(self, seconds: float, moved: int) -> bool:
        """Whether the transfer is fast enough still.

        Args:
            seconds: Since it was last asked.
            moved: Bytes in that time.
        """
        self._left = min(self._grace, self._left + moved / self._rate) - seconds
        return self._left > 0
