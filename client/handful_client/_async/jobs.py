"""Jobs: long work that a service does by itself, and tells of."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from handful_client._async.concurrency import in_thread, pause
from handful_client._async.named import AsyncNamed
from handful_client._async.transport import AsyncTransport
from handful_client.archives import archive_of
from handful_client.calls import ZIP, Call, Query, json_call
from handful_client.models import (
    FileErrorOut,
    JobFolderIn,
    JobOut,
    PredictionLine,
    RegistrationLine,
    ResultLine,
)

ENDED = frozenset({"done", "failed", "cancelled"})
# Seconds between two looks: at first, and at most.
_SOON, _LATER = 0.2, 5.0


class AsyncJob:
    """A job by its id; made by ``predict_job``, ``register_job`` and the client's ``job``.

    Attributes:
        id: Its id.
    """

    def __init__(self, transport: AsyncTransport, id: str) -> None:  # noqa: A002 - as the API has it
        self._transport = transport
        self.id = id

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._transport.url!r}, {self.id!r})"

    async def get(self) -> JobOut:
        """How far it is, or how it has ended."""
        return await self._transport.model(JobOut, Call("GET", self._path()))

    async def wait(self, *, progress: Callable[[JobOut], object] | None = None) -> JobOut:
        """Wait until it has ended, however long that is; it is asked from time to time.

        Args:
            progress: Is called with each answer.
        """
        seconds = _SOON
        while True:
            now = await self.get()
            if progress is not None:
                progress(now)
            if now.state in ENDED:
                return now
            await pause(seconds)
            seconds = min(_LATER, 1.5 * seconds)

    async def delete(self) -> None:
        """Cancel it; remove it with its results, if it has ended."""
        await self._transport.content(Call("DELETE", self._path()))

    async def results(self) -> AsyncIterator[PredictionLine | RegistrationLine | FileErrorOut]:
        """What became of each file; of a job that has not ended, of those so far.

        They are read whole, onto the disk, before the first is given.
        """
        async for line in self._transport.lines(Call("GET", self._path("results"))):
            yield ResultLine.model_validate_json(line).root

    def _path(self, *segments: str) -> tuple[str, ...]:
        return ("v1", "jobs", self.id, *segments)


class AsyncStartingJobs(AsyncNamed):
    """What a classifier does in the background."""

    async def predict_job(
        self,
        images: str | os.PathLike[str] | None = None,
        *,
        server_folder: str | None = None,
        top_k: int = 5,
        evidence: int = 3,
    ) -> AsyncJob:
        """Begin to predict many images; the job goes on by itself.

        Args:
            images: Path of a zip of them, or of a folder, which is packed into one first.
            server_folder: A folder of the service's machine in place of it, where that is allowed.
            top_k: Candidates for each.
            evidence: Support images named for each.
        """
        query: Query = {"top_k": top_k, "evidence": evidence}
        return await self._begun(self._path("predict"), query, images, server_folder)

    async def register_job(
        self, images: str | os.PathLike[str] | None = None, *, server_folder: str | None = None
    ) -> AsyncJob:
        """Begin to register many ``LABEL/IMAGE`` files, given as for ``predict_job``.

        The classifier is created if it is not there.
        """
        return await self._begun(self._path("support"), {}, images, server_folder, register=True)

    async def _begun(
        self,
        path: tuple[str, ...],
        query: Query,
        images: str | os.PathLike[str] | None,
        server_folder: str | None,
        *,
        register: bool = False,
    ) -> AsyncJob:
        headers = {"prefer": "respond-async"}
        if (images is None) == (server_folder is None):
            raise TypeError("give the path of a zip or a folder, or server_folder=, and not both")
        with TemporaryDirectory(prefix="handful-client-") as place:
            if images is None:
                document = JobFolderIn(folder=str(server_folder)).model_dump()
                call = replace(json_call("POST", path, document, query), headers=headers)
            else:
                archive = await in_thread(archive_of, images, Path(place))
                call = Call("POST", path, query, headers, file=archive, media_type=ZIP)
            ask = self._created if register else self._transport.model
            told = await ask(JobOut, call)
        return AsyncJob(self._transport, told.id)
