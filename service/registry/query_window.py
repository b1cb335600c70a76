"""The most recent queries of a classifier in memory, compared with its support set."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

from prometheus_client import Counter

from adapters.shift import WINDOW, RecentQueries, Shift
from service.registry.predictions import Prediction

SHIFTS = Counter(
    "handful_shifts_total",
    "Times that a classifier's recent queries began to look less familiar than its support set.",
)


class QueryWindow:
    """The recent queries that a classifier has answered by one tuning; thread-safe.

    In the memory of one process: others that answer for the same classifier see their own.

    Args:
        left_out: Left-out images that p-values are read off; 0 where there are none.
        classes: The classes that these are of.
    """

    def __init__(self, left_out: int, classes: int) -> None:
        self._recent = RecentQueries(left_out, classes)
        self._lock = Lock()
        self._was_detected = False

    def seen(self, predictions: Sequence[Prediction]) -> Shift | None:
        """Count queries by their answers, and say what the recent ones tell; microseconds."""
        with self._lock:
            for one in predictions[-WINDOW:]:
                if one.p_value is not None:
                    self._recent.add(one.p_value, one.top_k[0].label)
            shift = self._recent.shift()
            detected = shift is not None and shift.detected
            if detected and not self._was_detected:
                SHIFTS.inc()
            self._was_detected = detected
        return shift

    def shift(self) -> Shift | None:
        """What the recent queries tell; None where they are too few."""
        with self._lock:
            return self._recent.shift()
