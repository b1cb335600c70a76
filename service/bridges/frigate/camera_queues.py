"""Camera queues: each camera's objects wait for that camera alone, in a bounded queue."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from service.bridges.frigate.told_seldom import ToldSeldom
from service.bridges.frigate.tracked_objects import TrackedObject

logger = logging.getLogger("handful.bridge")

MOST_WAITING = 16
"""Objects of a camera that wait at a time; the one that waits longest gives way to a new one."""

Follow = Callable[[TrackedObject], Awaitable[None]]


class CameraQueue:
    """Objects of one camera that wait to be followed, each once, as its last message has it.

    Args:
        follow: Follows one of them; whatever it raises is written down, and ends nothing.
        seldom: Gets what gives way.
    """

    def __init__(self, follow: Follow, seldom: ToldSeldom) -> None:
        self._follow = follow
        self._seldom = seldom
        self._waiting: OrderedDict[str, TrackedObject] = OrderedDict()
        self._task: asyncio.Task[None] | None = None

    def put(self, tracked: TrackedObject) -> None:
        """Have an object followed, after those that wait already."""
        before = self._waiting.get(tracked.id)
        if before is not None and before.is_over:  # the message is an older one
            return
        self._waiting[tracked.id] = tracked
        if len(self._waiting) > MOST_WAITING:
            _, gone = self._waiting.popitem(last=False)
            self._seldom.say("more objects come than can be classified; one is left out", gone.id)
        if self._task is None:
            self._task = asyncio.create_task(self._work())

    def __len__(self) -> int:
        return len(self._waiting)

    async def end(self, seconds: float) -> None:
        """Let the object at work end, within that time; those that wait are not begun."""
        self._waiting.clear()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=seconds)
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _work(self) -> None:
        try:
            while self._waiting:
                _, tracked = self._waiting.popitem(last=False)
                try:
                    await self._follow(tracked)
                except Exception:
                    logger.exception("an object of camera %s could not be followed", tracked.camera)
        finally:
            self._task = None
