"""The worker: brings classifiers to their annotations, whatever was told of them meanwhile."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from time import monotonic

from fastapi import FastAPI
from fastapi_problem.error import StatusProblem

from service.access.principal import Principal
from service.api.access_control import AccessControl
from service.api.offloading import run_blocking
from service.composition import ServiceParts
from service.fetching import FetchError
from service.integrations.label_studio.comparing import compare
from service.integrations.label_studio.desired_state import DesiredState, Due
from service.integrations.label_studio.events import WHOLE_PROJECT
from service.integrations.label_studio.images import LabelStudio
from service.integrations.label_studio.learning import Learner
from service.integrations.label_studio.learnt_images import with_unheld
from service.problems import InvalidRequest, RateLimited
from service.storage.errors import Outdated

logger = logging.getLogger("handful")

# Annotations that are worked on at a time, and for how long nobody else takes them.
_SOME, _LEASE = 32, timedelta(minutes=5)
# Seconds between two looks for what other processes have accepted, or left behind.
_LOOK, _LOOK_ALONE = 2.0, 60.0
# And until what could not be done is tried again.
_AGAIN = 5.0


class Worker:
    """The worker of a process; several share the work by the database.

    Args:
        label_studio: Where images are.
    """

    def __init__(self, label_studio: LabelStudio) -> None:
        self._label_studio = label_studio
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Something was accepted; for the event loop's thread."""
        self._wake.set()

    @asynccontextmanager
    async def beside(self, app: FastAPI) -> AsyncIterator[None]:
        """Work as long as the application takes requests."""
        working = asyncio.create_task(self._run(app))
        try:
            yield
        finally:
            working.cancel()
            await asyncio.wait([working])

    async def _run(self, app: FastAPI) -> None:
        parts = app.state.parts
        state = DesiredState(parts.engine)
        work = _Work(parts, state, self._label_studio, app.state.access)
        alone = parts.lock is not None
        begun = False
        while True:
            self._wake.clear()
            pause = _LOOK_ALONE if alone else _LOOK
            try:
                if alone and not begun:  # who took them before is not there any more
                    await run_blocking(state.release_all)
                begun = True
                pause = min(pause, await work())
            except (StatusProblem, Outdated, OSError) as error:
                logger.warning("annotations of Label Studio wait: %s", error)
                pause = _AGAIN
            except Exception:
                logger.exception("annotations of Label Studio cannot be worked on")
                pause = _AGAIN
            if pause > 0:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), pause)


class _Work:
    """One turn after the other."""

    def __init__(
        self,
        parts: ServiceParts,
        state: DesiredState,
        label_studio: LabelStudio,
        access: AccessControl | None,
    ) -> None:
        self._parts = parts
        self._access = access
        self._state = state
        self._label_studio = label_studio
        self._learn = Learner(parts, state, label_studio)
        self._look_at: float | None = 0.0  # for images that are to be removed still

    async def __call__(self) -> float:
        """Work on what is due, some of it; returns in how many seconds something is due next."""
        if self._look_at is not None and monotonic() >= self._look_at:
            self._look_at = None
            await self._remove_left()
        try:
            return await self._some()
        except BaseException:
            self._look_at = 0.0
            raise

    async def _remove_left(self) -> None:
        """Remove what was left by whoever was ended, or failed, before images were removed.

        A classifier that cannot be changed holds up no other one.
        """
        for classifier_id in await run_blocking(with_unheld, self._parts.engine):
            try:
                await self._learn.remove(classifier_id)
            except (StatusProblem, Outdated) as error:
                logger.warning("images of annotations of Label Studio stay for now: %s", error)
                self._look_at = monotonic() + _LOOK_ALONE

    async def _some(self) -> float:
        at = await run_blocking(self._state.next_due)
        if at is None:
            return float("inf")
        if (seconds := (at - datetime.now(UTC)).total_seconds()) > 0:
            return seconds
        taken = await run_blocking(self._state.take, _SOME, _LEASE)
        for one in taken:
            if one.annotation == WHOLE_PROJECT:
                await self._compare(one)
        annotations = [one for one in taken if one.annotation != WHOLE_PROJECT]
        if annotations:
            try:
                await self._learn(annotations)
            except StatusProblem as problem:  # of this classifier, and the others are due as well
                await self._learn.postpone(annotations, problem.detail or problem.title)
                self._look_at = monotonic() + _LOOK_ALONE
        return 0

    async def _compare(self, one: Due) -> None:
        """Compare a project, and have its classifier tuned."""
        problem = None
        try:
            await compare(self._state, self._label_studio, one, partial(self._count, one))
        except RateLimited as limited:
            seconds = int((limited.headers or {}).get("retry-after", 1))
            until = datetime.now(UTC) + timedelta(seconds=seconds)
            await run_blocking(self._state.postpone, [one], limited.detail or "", until)
            return
        except (FetchError, InvalidRequest) as error:
            told = error.detail if isinstance(error, InvalidRequest) else f"Label Studio {error}."
            problem = f"The annotations of the project could not be compared. {told}"
            logger.warning("project %s of Label Studio: %s", one.project, problem)
            await run_blocking(self._state.retry, one.classifier_id, one.project)
        await run_blocking(self._state.settle, {one: (frozenset(), problem)})
        if (name := await run_blocking(self._state.name_of, one.classifier_id)) is not None:
            self._parts.registry.tunings.tell(name)

    async def _count(self, one: Due, images: int) -> None:
        """Count images that a comparison finds, as those of who asked for it."""
        if images and self._access is not None and one.told_by is not None:
            who = Principal(tenant=one.told_by["tenant"], key_id=one.told_by["key"])
            await self._access.quota_of(who).take("images", images)
