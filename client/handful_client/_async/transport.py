"""Calls over HTTP: attempts until there is an answer, or none can be had."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, TypeVar

import httpx2
from pydantic import BaseModel, ValidationError

from handful_client._async.concurrency import pause
from handful_client.backoff import Backoff, passes, seconds_asked
from handful_client.calls import Call, address, base_of, identity
from handful_client.errors import (
    AnswerTimeout,
    HandfulError,
    NoAnswer,
    UnreadableAnswer,
    problem_of,
)

Answer = TypeVar("Answer", bound=BaseModel)

_CONNECT_SECONDS = 5.0
_PIECE = 1 << 20
# The change was made by an attempt before, whose answer is lost.
_CARRIED_OUT = "already-carried-out"


class AsyncTransport:
    """Sends calls to one service.

    Args:
        url: Of the service.
        key: Of the caller, if the service asks for one.
        timeout: Seconds that an answer, or a part of one, may take.
        patience: Seconds within which a call is tried again.
        connections: Those that are open at a time at most.
        http: Sends the requests in place of a client of its own, which is closed with this.
    """

    def __init__(
        self,
        url: str,
        key: str | None,
        timeout: float,
        patience: float,
        connections: int,
        http: httpx2.AsyncClient | None,
    ) -> None:
        self.url = base_of(url)
        self._identity = identity(key)
        self._patience = patience
        self._timeout = httpx2.Timeout(timeout, connect=min(timeout, _CONNECT_SECONDS), pool=None)
        self._own = http is None
        self._http = http or httpx2.AsyncClient(
            timeout=self._timeout,
            limits=httpx2.Limits(
                max_connections=connections, max_keepalive_connections=connections
            ),
        )

    async def close(self) -> None:
        """Close the connections."""
        if self._own:
            await self._http.aclose()

    async def content(self, call: Call) -> bytes:
        """The body of the answer."""
        return await self._answered(call)

    async def model(self, model: type[Answer], call: Call) -> Answer:
        """The JSON of the answer.

        Raises:
            UnreadableAnswer: It is not of that model.
        """
        content = await self.content(call)
        try:
            return model.model_validate_json(content)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise UnreadableAnswer(
                f"the answer to {call.method} {address(self.url, call.path)} is no {model.__name__}"
                f" ({where + ': ' if where else ''}{first['msg']}). Is it Handful that answers, in"
                " a version of this client or newer?"
            ) from error

    async def tag(self, call: Call) -> str:
        """The ETag of the answer.

        Raises:
            UnreadableAnswer: It has none.
        """
        found: list[str] = []
        await self._answered(call, tags=found)
        if not found:
            raise UnreadableAnswer(
                f"the answer to {call.method} {address(self.url, call.path)} has no ETag: the"
                " service is older than this client"
            )
        return found[0]

    async def save(self, call: Call, path: Path) -> None:
        """Write the body of the answer to a file, which is there whole or not at all."""
        unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            with unfinished.open("wb") as file:
                await self._answered(call, file)
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)

    async def lines(self, call: Call) -> AsyncIterator[bytes]:
        """The lines of the answer, which is read whole before the first, onto the disk."""
        with TemporaryFile() as file:
            await self._answered(call, file)
            file.seek(0)
            for line in file:
                yield line

    async def _answered(
        self, call: Call, file: BinaryIO | None = None, tags: list[str] | None = None
    ) -> bytes:
        """The body of the answer, or nothing where it is written to a file.

        There are as many attempts as are needed. Each may be repeated: what changes nothing, and
        changes by their idempotency key. A time-out is not, as the service may be at work still.

        Args:
            call: What is asked.
            file: Where the body of an answer goes.
            tags: Gets its ETag, if it has one.

        Raises:
            Problem: The service refuses, and it does not pass.
            NoAnswer: It cannot be reached.
        """
        url, headers = address(self.url, call.path), self._identity | call.sent_headers()
        backoff = Backoff(self._patience)
        while True:
            asked = None
            try:
                async with self._http.stream(
                    call.method,
                    url,
                    params=call.sent_query(),
                    headers=headers,
                    content=call.content if call.file is None else AsyncFileBody(call.file),
                    files=call.form,
                    timeout=self._timeout,
                ) as response:
                    if response.is_success and file is not None:
                        file.seek(0)
                        file.truncate()
                        async for piece in response.aiter_bytes(_PIECE):
                            file.write(piece)
                        return b""
                    content = await response.aread()
                if response.is_success:
                    if tags is not None and (tag := response.headers.get("etag")):
                        tags.append(tag)
                    return content
                asked = seconds_asked(response.headers.get("retry-after"))
                problem = problem_of(response.status_code, content, asked)
                if problem.type == _CARRIED_OUT and call.method == "DELETE":
                    return b""
                if problem.type == _CARRIED_OUT and call.same:
                    headers |= call.sent_headers()  # as another call, which changes nothing more
                elif not passes(problem):
                    raise problem
                failure: HandfulError = problem
            except httpx2.ConnectTimeout as error:
                failure = NoAnswer(f"{self.url} cannot be reached: it does not answer in time")
                failure.__cause__ = error
            except httpx2.TimeoutException as error:
                raise AnswerTimeout(
                    f"{call.method} {url} was not answered in {self._timeout.read:g} s. Give the"
                    " client a longer timeout"
                ) from error
            except (httpx2.NetworkError, httpx2.RemoteProtocolError) as error:
                failure = NoAnswer(f"{self.url} gives no answer: {error or type(error).__name__}")
                failure.__cause__ = error
            except httpx2.HTTPError as error:
                raise NoAnswer(f"{self.url} gives no answer: {error}") from error
            if (seconds := backoff.pause(asked)) is None:
                raise failure
            await pause(seconds)


class AsyncFileBody:
    """A file as the body of a request; each attempt reads it from its beginning."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Its bytes, in pieces."""
        with self._path.open("rb") as file:
            while piece := file.read(_PIECE):
                yield piece
