"""The worker of jobs in a process: takes up what waits, a few at a time, and clears what is old."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from time import monotonic

import anyio
import anyio.to_thread
from fastapi_problem.error import StatusProblem
from prometheus_client import Gauge
from sqlalchemy import Engine

from service.encoding.recipes import RecipeEmbedders
from service.encoding.text_embedder import TextEmbedder
from service.jobs.accepting import Accepting, Asked
from service.jobs.audited import recorders_of
from service.jobs.job_folder import JobFile, JobFolder, JobFolders
from service.jobs.job_run import JobRun
from service.jobs.prediction_job import PredictionWork
from service.jobs.registration_job import RegistrationWork, first_files
from service.jobs.work import Work
from service.registry.query_batching import Answering
from service.registry.registry import Registry
from service.settings import Settings
from service.storage.errors import Outdated
from service.storage.jobs import ENDED, JobRecord, Jobs

logger = logging.getLogger("handful")

RUNNING = Gauge("handful_running_jobs", "Jobs that are worked on.", multiprocess_mode="livesum")

WAITING = Gauge(
    "handful_waiting_jobs",
    "Jobs of this machine that nobody has begun.",
    multiprocess_mode="livemostrecent",
)

# Jobs that a process works on at a time: one that is long does not hold up all others.
_AT_ONCE = 2
# Seconds between two looks at what other processes have taken in, or left behind.
_LOOK = 2.0
# And until what could not be taken up is tried again.
_AGAIN = 5.0
# And between two looks for what is old.
_CLEAN = 600.0


class BackgroundJobs:
    """Jobs of a service. For the event loop's thread, from :meth:`begin` to :meth:`end`.

    A job is worked on by whoever holds the lock of its folder, which the kernel lets go of when a
    process ends, however it does. What a job has got done is in the database after each piece.

    Attributes:
        stored: The jobs as they are written down.
        folders: Where their files are.

    Args:
        engine: Of the database.
        settings: All of them.
        registry: Of the classifiers.
        embedders: Embed images, queries first.
        texts: Embeds class names.
        answering: Computes answers.
        shared: Whether other processes have the same jobs.
    """

    def __init__(
        self,
        engine: Engine,
        settings: Settings,
        registry: Registry,
        embedders: RecipeEmbedders,
        texts: TextEmbedder,
        answering: Answering,
        *,
        shared: bool,
    ) -> None:
        self.stored = Jobs(engine)
        self.folders = JobFolders(settings.data_dir.resolve() / "jobs")
        self._settings = settings
        self._registry = registry
        self._embedders = embedders
        self._texts = texts
        self._answering = answering
        self._shared = shared
        self._accepting = Accepting(self.stored, self.folders, registry, settings)
        self._writers = anyio.CapacityLimiter(_AT_ONCE)
        self._running: dict[str, tuple[JobRecord, asyncio.Task[None]]] = {}
        self._wake = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None
        self._on: asyncio.AbstractEventLoop | None = None

    def begin(self) -> None:
        """Work on jobs from now on, those first that were begun before."""
        self._on = asyncio.get_running_loop()
        self._loop = asyncio.create_task(self._run())

    async def end(self) -> None:
        """Leave jobs as they are; whoever begins next goes on with them."""
        tasks = [task for _, task in self._running.values()]
        if self._loop is not None:
            tasks.append(self._loop)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def accept(self, asked: Asked) -> JobRecord:
        """Take a job in. Raises as :class:`service.jobs.accepting.Accepting`."""
        job = await self._accepting(asked)
        self._wake.set()
        return job

    def wake(self) -> None:
        """Others have taken a job in; for any thread, does not block."""
        if self._on is not None:
            with suppress(RuntimeError):  # it has just ended
                self._on.call_soon_threadsafe(self._wake.set)

    async def _run(self) -> None:
        cleaned = -_CLEAN
        while True:
            self._wake.clear()
            pause = _LOOK if self._shared else _CLEAN
            try:
                if await self._take_up():
                    pause = min(pause, _AGAIN)
                if monotonic() - cleaned >= _CLEAN:
                    await anyio.to_thread.run_sync(self._clean)
                    cleaned = monotonic()
            except (StatusProblem, Outdated, OSError) as error:
                logger.warning("jobs wait: %s", error)
                pause = _AGAIN
            except Exception:
                logger.exception("jobs cannot be looked for")
                pause = _AGAIN
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), pause)

    async def _take_up(self) -> bool:
        """Begin what waits, as far as there is room; whether something is left for later."""
        if (place := await anyio.to_thread.run_sync(self.folders.known_place)) is None:
            return False
        waiting = await anyio.to_thread.run_sync(self.stored.unfinished, place)
        waiting = [job for job in waiting if job.id not in self._running]
        WAITING.set(sum(job.state == "queued" for job in waiting))
        left = False
        while waiting and len(self._running) < _AT_ONCE:
            job = next_job(waiting, [one for one, _ in self._running.values()])
            waiting.remove(job)
            folder = self.folders.of(job.id)
            with ExitStack() as claim:
                if not claim.enter_context(folder.claimed()):  # another process works on it
                    left = True
                    continue
                task = asyncio.create_task(self._work(job.id, folder, claim.pop_all()))
                self._running[job.id] = job, task
                RUNNING.inc()
        return left

    async def _work(self, job_id: str, folder: JobFolder, claim: ExitStack) -> None:
        passed = True
        try:
            with claim:
                job = await anyio.to_thread.run_sync(self.stored.begin, job_id)
                if job is not None:
                    await JobRun(job, folder, self.stored, self._settings, self._work_of)()
        except (StatusProblem, Outdated) as error:
            passed = False
            logger.warning("job %s waits: %s", job_id, error)
        except Exception:
            passed = False
            logger.exception("job %s cannot be worked on", job_id)
        finally:
            del self._running[job_id]
            RUNNING.dec()
            if passed:
                self._wake.set()
            else:
                asyncio.get_running_loop().call_later(_AGAIN, self._wake.set)

    def _work_of(self, job: JobRecord, folder: JobFolder, files: Sequence[JobFile]) -> Work:
        if job.kind == "predict":
            return PredictionWork(
                job, self._registry, self._embedders, self._answering, self.stored
            )
        first = first_files(files, folder.lines(job.result_bytes))
        registry = self._registry.recording(recorders_of(job))
        return RegistrationWork(
            job, registry, self._embedders, self._texts, self._writers, first, self.stored
        )

    def _clean(self) -> None:
        """Remove jobs that ended long ago, and folders that belong to none."""
        if (place := self.folders.known_place()) is None:
            return
        before = datetime.now(UTC) - timedelta(hours=self._settings.job_hours)
        for job_id in self.stored.remove_older(place, before):
            self.folders.of(job_id).remove()
        ids = self.folders.ids()
        for start in range(0, len(ids), 500):
            some = ids[start : start + 500]
            known = self.stored.known(some)
            for job_id in some:
                folder = self.folders.of(job_id)
                if known.get(job_id) in ENDED:
                    folder.drop_input()
                elif job_id not in known:
                    with folder.claimed() as mine:
                        # It may have become a job since it was looked for.
                        if mine and not self.stored.known([job_id]):
                            folder.remove()


def next_job(waiting: Sequence[JobRecord], running: Sequence[JobRecord]) -> JobRecord:
    """Whose turn it is: of the tenant that has the fewest at work, of a classifier that has none.

    Args:
        waiting: One or more, the oldest first.
        running: Those that are worked on here.
    """
    tenants = Counter(job.tenant for job in running)
    busy = {(job.tenant, job.classifier) for job in running}
    return min(waiting, key=lambda job: (tenants[job.tenant], (job.tenant, job.classifier) in busy))
