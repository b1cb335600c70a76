"""Log of what may happen thousands of times a second: at most one line a minute of each kind."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

logger = logging.getLogger("handful.bridge")

_SECONDS = 60.0


class ToldSeldom:
    """Says that something has happened, and how often it has since it was last said.

    Args:
        clock: Seconds, from anywhere.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._said: dict[str, float] = {}
        self._since: dict[str, int] = {}

    def say(self, kind: str, detail: object) -> None:
        """Say it, unless this kind was said within the last minute.

        Args:
            kind: A sentence of this program: there are as many as it has.
            detail: Of this time; what others wrote is shown without its control characters.
        """
        self._since[kind] = self._since.get(kind, 0) + 1
        now = self._clock()
        if kind in self._said and now - self._said[kind] < _SECONDS:
            return
        shown = str(detail)[:300]
        if not shown.isprintable():
            shown = ascii(shown)
        logger.warning("%s (%d times): %s", kind, self._since.pop(kind), shown)
        self._said[kind] = now
