"""Accuracy over time, by verdicts on remembered answers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import sqrt

# Of the standard normal distribution: 95 % lie within so many standard deviations.
_Z = 1.959964


@dataclass(frozen=True, slots=True)
class AccuracyWindow:
    """What the verdicts say of the queries of a time.

    Attributes:
        begin: Of the time.
        end: Of it; queries of that very moment are of the next one.
        judged: Verdicts.
        right: Answers among them that were right.
        low: Lower end of the 95 % interval of the accuracy; None where nothing was judged.
        high: Upper end.
    """

    begin: datetime
    end: datetime
    judged: int
    right: int
    low: float | None
    high: float | None

    @property
    def accuracy(self) -> float | None:
        """Share of the judged answers that were right."""
        return self.right / self.judged if self.judged else None


def wilson_interval(right: int, n: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson, JASA 1927), of n > 0 of which so many are right."""
    share, spread = right / n, _Z * _Z / n
    centre = (share + spread / 2) / (1 + spread)
    half = _Z * sqrt(share * (1 - share) / n + spread / (4 * n)) / (1 + spread)
    return max(0.0, centre - half), min(1.0, centre + half)


def accuracy_windows(
    verdicts: Iterable[tuple[datetime, bool]], now: datetime, days: float, number: int
) -> list[AccuracyWindow]:
    """Windows of so many days up to now, the oldest first.

    Args:
        verdicts: When each query was asked, and whether its answer was right.
        now: The end of the last window; what is later is of that one, too.
        days: Of a window.
        number: Of windows.
    """
    length = timedelta(days=days)
    judged, right = [0] * number, [0] * number
    for at, is_right in verdicts:
        back = max(0, int((now - at) / length))
        if back < number:
            judged[-1 - back] += 1
            right[-1 - back] += is_right
    return [
        window_of(now - (number - i) * length, now - (number - i - 1) * length, n, k)
        for i, (n, k) in enumerate(zip(judged, right, strict=True))
    ]


def window_of(begin: datetime, end: datetime, judged: int, right: int) -> AccuracyWindow:
    """A window with its interval."""
    low, high = wilson_interval(right, judged) if judged else (None, None)
    return AccuracyWindow(begin, end, judged, right, low, high)
