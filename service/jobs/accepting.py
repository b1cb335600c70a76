"""Accepting a job: its input is on the disk, and known to be usable, before it is one."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import anyio
import anyio.to_thread
import torch

from adapters.embeddings import ImageEmbeddings
from service.jobs.job_folder import (
    JobFile,
    JobFolder,
    JobFolders,
    check_room,
    sync_file,
    written_or_refused,
)
from service.jobs.job_input import JobInput, files_to_ask, files_to_register
from service.problems import EmptyUpload, TooManyJobs
from service.registry.registry import Registry
from service.settings import Settings
from service.storage.jobs import JobKind, JobRecord, JobRecorder, Jobs
from service.storage.records import State
from service.telemetry.propagation import told_context

# Zips of a tenant that are received at a time by a process.
_RECEIVING = 8
# Bytes that are written in one call.
_BLOCK = 2**20


async def _uncounted(_: int) -> None:
    """No quota is to be counted for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a client asks a job for.

    Attributes:
        kind: Of the job.
        tenant: Whose it is.
        classifier: Its name.
        parameters: Of the kind.
        zip: The bytes of a zip, piece by piece; None: ``folder`` is the input.
        folder: A folder of this machine.
        written: Told of bytes of the zip that are no longer in memory.
        counted: Told of how many files it is; what it raises refuses the job.
        record: Writes something down of it, in its transaction; what it raises refuses the job.
    """

    kind: JobKind
    tenant: str
    classifier: str
    parameters: dict[str, Any]
    zip: AsyncIterator[bytes] | None = None
    folder: str | None = None
    written: Callable[[int], None] = lambda _: None
    counted: Callable[[int], Awaitable[None]] = _uncounted
    record: JobRecorder | None = None


class Accepting:
    """Takes jobs in. For the event loop's thread.

    Args:
        jobs: Where they are written down.
        folders: Where their files go.
        registry: Of the classifiers.
        settings: The limits.
    """

    def __init__(
        self, jobs: Jobs, folders: JobFolders, registry: Registry, settings: Settings
    ) -> None:
        self._jobs = jobs
        self._folders = folders
        self._registry = registry
        self._settings = settings
        self._receiving = Counter[str]()
        # It is Python that reads directories of zips, beside the event loop.
        self._reading = anyio.CapacityLimiter(1)

    async def __call__(self, asked: Asked) -> JobRecord:
        """Take a job in; nothing is left of one that is refused.

        Raises:
            ClassifierNotFound, NoClasses: There is nothing to ask, or to register in.
            TooManyJobs: There is no room beside the others.
            FolderNotAllowed: No job may read the folder.
            EmptyUpload, InvalidName, InvalidUpload, RequestTooLarge: The input cannot be taken.
            StorageFull, StorageUnavailable: It cannot be kept.
        """
        state = await anyio.to_thread.run_sync(self._checked, asked)
        place = await anyio.to_thread.run_sync(self._folders.place)
        job_id = uuid.uuid4().hex
        folder = self._folders.of(job_id)
        with ExitStack() as stack:
            await anyio.to_thread.run_sync(folder.make)
            taken = stack.enter_context(ExitStack())
            taken.callback(folder.remove)
            stack.enter_context(folder.claimed())  # it is no orphan meanwhile
            size = 0
            if asked.zip is not None:
                size = await self._received(folder, asked)
            files, skipped = await anyio.to_thread.run_sync(
                self._listed, folder, asked, limiter=self._reading
            )
            await asked.counted(len(files))
            job = JobRecord(
                id=job_id,
                tenant=asked.tenant,
                kind=asked.kind,
                classifier=asked.classifier,
                classifier_id=state.id,
                classifier_created_at=state.created_at,
                parameters=asked.parameters,
                folder=asked.folder,
                place=place,
                total=len(files),
                skipped=skipped,
                input_bytes=size,
                created_at=datetime.now(UTC),
            )
            most = self._settings.max_jobs, self._settings.max_jobs_bytes
            if not await anyio.to_thread.run_sync(self._jobs.add, job, *most, asked.record):
                raise self._too_many()
            taken.pop_all()
        return job

    def _checked(self, asked: Asked) -> State:
        """See that the job could do something; which state of the classifier it is asked of."""
        live = self._registry.live(asked.classifier)
        if asked.kind == "predict":
            live.predict(ImageEmbeddings(torch.empty(0, 0), torch.empty(0, 0)), 1, 0)
        waiting, size = self._jobs.held(asked.tenant)
        if waiting >= self._settings.max_jobs or size >= self._settings.max_jobs_bytes:
            raise self._too_many()
        return live.state

    async def _received(self, folder: JobFolder, asked: Asked) -> int:
        if self._receiving[asked.tenant] >= _RECEIVING:
            raise TooManyJobs(
                f"{_RECEIVING} of your zips are being received already. Send this one in a minute."
            )
        self._receiving[asked.tenant] += 1
        try:
            return await self._written(folder, asked)
        finally:
            self._receiving -= Counter((asked.tenant,))  # drops those that are at 0

    async def _written(self, folder: JobFolder, asked: Asked) -> int:
        size, pieces, waiting = 0, list[bytes](), 0
        with written_or_refused(folder.path):
            file = await anyio.to_thread.run_sync(lambda: folder.input.open("wb"))
        with file:

            def write(some: list[bytes], last: bool) -> None:
                with written_or_refused(folder.path):
                    check_room(folder.path, sum(map(len, some)))
                    file.writelines(some)
                    if last:
                        sync_file(file)

            async for piece in asked.zip or _nothing():
                pieces.append(piece)
                waiting += len(piece)
                if waiting >= _BLOCK:
                    await anyio.to_thread.run_sync(write, pieces, False)
                    asked.written(waiting)
                    size, pieces, waiting = size + waiting, [], 0
            await anyio.to_thread.run_sync(write, pieces, True)
            asked.written(waiting)
        if not size + waiting:
            raise EmptyUpload("The body is empty. Send a zip of images.")
        return size + waiting

    def _listed(self, folder: JobFolder, asked: Asked) -> tuple[list[JobFile], int]:
        """Find the files that the job takes, and keep their names; returns how many it skips."""
        if asked.folder is not None:
            images = JobInput.of_folder(asked.folder, self._settings).images
        else:
            encoding = asked.parameters.get("filename_encoding")
            images = JobInput.of_zip(folder.input, self._settings, encoding).images
        if asked.kind == "predict":
            files, skipped = files_to_ask(images, self._settings)
        else:
            backslashes = asked.folder is None
            files, skipped = files_to_register(images, self._settings, backslashes=backslashes)
            labels = list(dict.fromkeys(file.label or "" for file in files))
            self._registry.check_room(asked.classifier, labels)
        folder.write_trace(told_context())
        folder.write_files(files)
        return files, skipped

    def _too_many(self) -> TooManyJobs:
        return TooManyJobs(
            f"There are {self._settings.max_jobs} jobs that have not ended (HANDFUL_MAX_JOBS), or "
            f"their zips and results take {self._settings.max_jobs_bytes} bytes "
            "(HANDFUL_MAX_JOBS_BYTES). Wait for them, or DELETE some: GET /v1/jobs lists them."
        )


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""
