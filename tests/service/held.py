"""An encoder that waits to be let go, so that tests decide what happens meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from threading import Condition

from torch import Tensor

from adapters.embeddings import ImageEmbeddings

_PATIENCE = 30.0


async def until(condition: Callable[[], bool]) -> None:
    """Let others run until this holds."""
    for _ in range(int(_PATIENCE * 1000)):
        if condition():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it never came to hold")


class Held:
    """Wraps an encoder: each pass waits for :meth:`let`.

    Attributes:
        batches: What each pass was given, in the order of their beginning.
        most: Most passes that were under way at the same time.
    """

    def __init__(self, encode: Callable[[Tensor], ImageEmbeddings]) -> None:
        self.batches: list[Tensor] = []
        self.most = 0
        self._encode = encode
        self._changed = Condition()
        self._allowed = 0
        self._running = 0

    def __call__(self, pixels: Tensor) -> ImageEmbeddings:
        with self._changed:
            self.batches.append(pixels)
            number = len(self.batches)
            self._running += 1
            self.most = max(self.most, self._running)
            self._changed.notify_all()
            assert self._changed.wait_for(lambda: number <= self._allowed, _PATIENCE)
        try:
            return self._encode(pixels)
        finally:
            with self._changed:
                self._running -= 1

    def begun(self, passes: int) -> None:
        """Wait until so many passes have begun."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.batches) >= passes, _PATIENCE)

    def let(self, passes: int | None = None) -> None:
        """Let that many more passes end; None lets all of them."""
        with self._changed:
            self._allowed = 10**9 if passes is None else self._allowed + passes
            self._changed.notify_all()
