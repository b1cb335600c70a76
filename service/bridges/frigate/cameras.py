"""Cameras: whose objects are followed. Nobody makes the bridge believe in others."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Sequence

from service.bridges.frigate.frigate_api import Frigate, FrigateError
from service.bridges.frigate.told_seldom import ToldSeldom
from service.bridges.frigate.tracked_objects import CAMERA

_MOST = 256
# Between two questions for them; after one that was not answered.
_SECONDS, _SOON = 60.0, 5.0


class Cameras:
    """Those that were chosen, or those of Frigate's configuration.

    That is asked for at the beginning, and when an object of an unknown camera is told of: at most
    once a minute, however many are told of; sooner only after a failure.

    Args:
        frigate: Has the configuration.
        chosen: Names; none for all of them.
        announce: Gets each of them once.
        seldom: Gets what goes wrong.
    """

    def __init__(
        self,
        frigate: Frigate,
        chosen: Sequence[str],
        announce: Callable[[str], None],
        seldom: ToldSeldom,
    ) -> None:
        self._frigate = frigate
        self._chosen = chosen
        self._announce = announce
        self._seldom = seldom
        self._known: set[str] = set()
        self._next = 0.0
        self._asking: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Learn which there are, in the background."""
        self._add(self._chosen)
        self._ask()

    def end(self) -> None:
        """Stop asking."""
        if self._asking is not None:
            self._asking.cancel()

    def has(self, camera: str) -> bool:
        """Whether objects of a camera are followed; one that is not known is asked for."""
        if camera in self._known:
            return True
        self._ask()
        return False

    def _ask(self) -> None:
        busy = self._asking is not None and not self._asking.done()
        if self._chosen or busy or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _SECONDS
        self._asking = asyncio.create_task(self._learn())

    async def _learn(self) -> None:
        try:
            self._add(await self._frigate.cameras())
        except FrigateError as error:
            self._next = time.monotonic() + _SOON
            self._seldom.say("Frigate does not say which cameras it has", error)

    def _add(self, names: Sequence[str]) -> None:
        for name in names:
            if name in self._known or not re.fullmatch(CAMERA, name):
                continue
            if len(self._known) >= _MOST:
                self._seldom.say("there are more cameras than can be followed", name)
                return
            self._known.add(name)
            self._announce(name)
