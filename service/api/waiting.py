"""``?wait=tuned``: a change is answered once the tuning is of the support set as it is."""

from __future__ import annotations

import asyncio
import math
from contextlib import suppress
from typing import Annotated, Literal

from fastapi import Depends, Header, Query, Request
from pydantic import WithJsonSchema

from service.api.deadlines import deadline_or_disconnect
from service.api.dependencies import ReadyParts
from service.api.offloading import run_blocking
from service.composition import ServiceParts
from service.problems import ClassifierNotFound, DeadlineExceeded
from service.registry.tuning_queue import TuningQueue

# Seconds between two looks at a tuning that another process finds.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0


class TuningWait:
    """A dependency of routes that change a classifier; takes no thread while it waits."""

    def __init__(
        self,
        request: Request,
        parts: ReadyParts,
        wait: Annotated[
            Literal["tuned"] | None,
            Query(
                description="`tuned`: answer only when hyperparameters, temperature and thresholds"
                " are of the support images as they are after the change, which most changes of"
                " larger classifiers get in the background; or when the time is over. The change"
                " is done either way, and GET of the classifier tells the state of its tuning."
            ),
        ] = None,
        request_timeout: Annotated[
            float | None,
            Header(
                gt=0,
                allow_inf_nan=False,
                description="Seconds that `wait=tuned` may take. The service has a limit of its"
                " own; the smaller one counts.",
                examples=[5],
            ),
            WithJsonSchema({"type": "number", "exclusiveMinimum": 0}),  # a header is never null
        ] = None,
    ) -> None:
        self._request = request
        self._parts = parts
        self._wanted = wait == "tuned"
        self._seconds = min(parts.settings.predict_seconds, request_timeout or math.inf)

    async def __call__(self, name: str) -> None:
        """Wait, if it was asked for: for the tuning, or until the time is over.

        Raises:
            ClientDisconnect: Nobody waits any more.
        """
        if not self._wanted:
            return
        tuned = asyncio.ensure_future(_tuned(self._parts, name))
        try:
            with suppress(DeadlineExceeded):
                await deadline_or_disconnect(self._request, self._seconds)(tuned)
        finally:
            tuned.cancel()
            await asyncio.gather(tuned, return_exceptions=True)  # the change is done anyway


UntilTuned = Annotated[TuningWait, Depends()]


async def _tuned(parts: ServiceParts, name: str) -> None:
    pause = _FIRST_PAUSE
    while True:
        await _settled(parts.registry.tunings, name)
        try:
            live = await run_blocking(parts.registry.live, name)
        except ClassifierNotFound:
            return
        if live.tuning_is_current and live.postponed is None:
            return
        await asyncio.sleep(pause)  # it is in the queue again, or another process tunes it
        pause = min(2 * pause, _LONGEST_PAUSE)


async def _settled(tunings: TuningQueue, name: str) -> None:
    loop = asyncio.get_running_loop()
    settled = asyncio.Event()

    def told() -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settled.set)

    with tunings.told_when_settled(name, told):
        await settled.wait()
