"""Throughput of the encoder, as an exponential moving average."""

from __future__ import annotations

# Of the weight of a pass, what is left one pass later: about the last ten passes count.
_DECAY = 0.9


class Throughput:
    """Exponential moving average of images a second over passes; idle time does not count."""

    def __init__(self) -> None:
        self._since = 0.0
        self._images = 0.0
        self._seconds = 0.0

    def begin(self, now: float) -> None:
        """There is work again, after there was none."""
        self._since = now

    def note(self, images: int, now: float) -> None:
        """A pass of so many images has ended."""
        self._images = _DECAY * self._images + images
        self._seconds = _DECAY * self._seconds + now - self._since
        self._since = now

    def seconds(self, images: int) -> float:
        """How long so many images take; 0 before the first pass."""
        return images * self._seconds / self._images if self._images else 0.0
