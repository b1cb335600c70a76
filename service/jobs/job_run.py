"""The run of one job by one process: piece by piece, from wherever it stands."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import anyio.to_thread
from fastapi_problem.error import StatusProblem
from prometheus_client import Counter

from service.images.uploaded import UploadedImage
from service.jobs.job_folder import JobFile, JobFolder
from service.jobs.job_input import JobInput
from service.jobs.work import JobFailed, Piece, Work, document_of
from service.problems import InternalError
from service.settings import Settings
from service.storage.errors import Outdated
from service.storage.jobs import ENDED, JobRecord, Jobs, JobState, Step
from service.telemetry.propagation import link_to
from service.telemetry.request_trace import own_trace, traced_part

logger = logging.getLogger("handful")

T = TypeVar("T")

JOBS = Counter("handful_jobs_total", "Jobs that have ended.", ["kind", "outcome"])
for _kind in ("predict", "register"):
    for _outcome in ENDED:
        JOBS.labels(_kind, _outcome)  # told from the start
FILES = Counter("handful_job_files_total", "Files that jobs have worked on.", ["kind", "outcome"])

# Seconds until what the service cannot do at the moment is tried again.
_AGAIN = 5.0
# How often a process may end while it works on the same piece.
_ATTEMPTS = 5
# What a job waits for to pass; anything else that is wrong ends it.
_PASSING = (503, 507)


class _Cancelled(Exception):
    """A client has cancelled the job."""


class JobRun:
    """Works on a job whose folder's lock is held.

    Args:
        job: As it was begun.
        folder: Its.
        jobs: Where it is written down.
        settings: The limits.
        work_of: Makes the work of it, of its files.
    """

    def __init__(
        self,
        job: JobRecord,
        folder: JobFolder,
        jobs: Jobs,
        settings: Settings,
        work_of: Callable[[JobRecord, JobFolder, Sequence[JobFile]], Work],
    ) -> None:
        self._job = job
        self._folder = folder
        self._jobs = jobs
        self._settings = settings
        self._work_of = work_of

    async def __call__(self) -> None:
        """Work until the job has ended, or this is cancelled: then another run goes on."""
        state: JobState = "done"
        problem: StatusProblem | None = None
        told = await anyio.to_thread.run_sync(self._folder.trace)
        about = {"handful.job.id": self._job.id, "handful.job.kind": self._job.kind}
        try:
            if self._job.cancelling:
                raise _Cancelled
            with own_trace("job", about, link_to(told)):
                await self._do_all()
        except _Cancelled:
            state = "cancelled"
        except StatusProblem as error:
            state, problem = "failed", error
        except Exception:
            logger.exception("job %s has failed", self._job.id)
            state, problem = "failed", InternalError()
        await self._end(state, problem)

    async def _do_all(self) -> None:
        """Do what is left.

        Raises:
            StatusProblem: The job cannot go on.
            _Cancelled: It is not to.
        """
        job = self._job
        if job.attempts > _ATTEMPTS:
            raise JobFailed(
                f"The service ended {_ATTEMPTS} times while it worked on the files after the "
                f"first {job.done}; the log may tell why. Look at these files, and send the "
                "others as another job."
            )
        files, images, work = await anyio.to_thread.run_sync(self._opened)

        def begun(start: int) -> asyncio.Task[Piece]:
            some = slice(start, start + work.files)

            async def do() -> Piece:
                with traced_part("piece", {"handful.files": len(files[some])}):
                    return await work(files[some], images[some])

            return asyncio.create_task(self._until_passed(do))

        size = job.result_bytes
        following = begun(job.done) if job.done < len(files) else None
        try:
            for start in range(job.done, len(files), work.files):
                piece = await (following or begun(start))
                end = min(start + work.files, len(files))
                # The encoder has something to do while this piece is written.
                following = begun(end) if work.ahead and end < len(files) else None
                size = await self._written(piece, size, end)
                failed = len(piece.errors)
                FILES.labels(job.kind, "failed").inc(failed)
                FILES.labels(job.kind, "done").inc(end - start - failed)
        finally:
            if following is not None:
                following.cancel()
                await asyncio.wait([following])

    async def _written(self, piece: Piece, size: int, end: int) -> int:
        """Write a piece down, and that it counts; returns the bytes of results."""

        def write() -> tuple[int, bool]:
            written = self._folder.write_results(size, piece.lines)
            step = Step(end, piece.errors, written)
            return written, self._jobs.step(self._job.id, step)

        written, goes_on = await self._until_passed(lambda: anyio.to_thread.run_sync(write))
        if not goes_on and end < self._job.total:
            raise _Cancelled
        return written

    async def _until_passed(self, call: Callable[[], Awaitable[T]]) -> T:
        """What a call gives, as soon as nothing passing is in the way.

        Raises:
            StatusProblem: Something else is.
            _Cancelled: The job is not to go on.
        """
        while True:
            try:
                return await call()
            except Outdated:
                continue
            except StatusProblem as problem:
                if problem.status not in _PASSING:
                    raise
                logger.warning("job %s waits: %s", self._job.id, problem.detail)
                await self._wait(problem)

    async def _wait(self, problem: StatusProblem) -> None:
        try:
            goes_on = await anyio.to_thread.run_sync(
                self._jobs.wait, self._job.id, problem.detail or problem.title
            )
        except StatusProblem:  # the database cannot be used either
            goes_on = True
        if not goes_on:
            raise _Cancelled
        await asyncio.sleep(_AGAIN)

    async def _end(self, state: JobState, problem: StatusProblem | None) -> None:
        document = None if problem is None else document_of(problem)
        while True:
            try:
                await anyio.to_thread.run_sync(self._jobs.end, self._job.id, state, document)
                break
            except (StatusProblem, Outdated) as error:
                logger.warning("job %s has ended, which cannot be written: %s", self._job.id, error)
                await asyncio.sleep(_AGAIN)
        JOBS.labels(self._job.kind, state).inc()
        await anyio.to_thread.run_sync(self._folder.drop_input)
        logger.info("job %s: %s", self._job.id, state)

    def _opened(self) -> tuple[Sequence[JobFile], Sequence[UploadedImage], Work]:
        """The files of the job, beside the images that they are, and what is done with them."""
        job = self._job
        try:
            files = self._folder.files()
            if job.folder is None:
                encoding = job.parameters.get("filename_encoding")
                every = JobInput.of_zip(self._folder.input, self._settings, encoding).images
                images = [every[file.at] for file in files]
            else:
                images = list(JobInput.taken(job.folder, files, self._settings).images)
            return files, images, self._work_of(job, self._folder, files)
        except (OSError, ValueError, LookupError) as error:
            logger.warning("job %s: %s is gone or damaged: %s", job.id, self._folder.path, error)
            raise JobFailed(
                "What the job works on is gone from the disk, or damaged; the log tells which file."
                " Send it again as another job."
            ) from error
