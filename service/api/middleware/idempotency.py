"""Idempotency keys (draft-ietf-httpapi-idempotency-key-header): a change is made once.

The first request with a key marks itself in the transaction of its change, and its answer is kept
when it is built. A repetition gets that answer. Requests that fail before they change anything
leave nothing, so they can be sent again.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import anyio.to_thread
from fastapi_problem.error import StatusProblem
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.access.principal import principal_of
from service.api.dependencies import RECORDERS
from service.api.problem_documents import problem_answer
from service.api.request_fingerprint import RequestFingerprint
from service.composition import ServiceParts
from service.problems import (
    AlreadyCarriedOut,
    IdempotencyKeyReused,
    InvalidIdempotencyKey,
    StorageFull,
    StorageUnavailable,
)
from service.storage.idempotency import IN_USE, CarriedOut, IdempotencyKeys, KeptAnswer, RequestMark

# Where a request's key stands in its ASGI scope.
SCOPE_KEY = "handful.idempotency"
_FIELD = b"idempotency-key"
_SAFE = {"GET", "HEAD", "OPTIONS"}
_KEY = re.compile(rb'[ \t]*(?:"([!#-\[\]-~ ]{1,255})"|([!#-~]{1,255}))[ \t]*')
# Of an answer that is kept, before it is compressed.
_MOST_BYTES = 2**20
# Another process may be about to keep the answer of a change that it has just made.
_ANSWERED = timedelta(seconds=2)
_HEADERS = {b"content-type", b"etag", b"location", b"cache-control", b"preference-applied"}


class KeyedRequest:
    """A request with a key.

    Args:
        digest: Of tenant, key of the client and idempotency key.
        in_flight: Digests of those that this process carries out.
        fingerprint: Of the request.
    """

    def __init__(self, digest: str, in_flight: set[str], fingerprint: RequestFingerprint) -> None:
        self.mark = RequestMark(digest, uuid.uuid4().hex, fingerprint)
        self.changes = False
        self._in_flight = in_flight

    def begin(self) -> None:
        """Begin a change, of which the key says that it is made once.

        Raises:
            IdempotencyKeyInUse: It is being made.
        """
        if self.changes:
            return
        if self.mark.digest in self._in_flight:
            raise IN_USE
        self._in_flight.add(self.mark.digest)
        self.changes = True

    def end(self) -> None:
        """It is answered."""
        if self.changes:
            self._in_flight.discard(self.mark.digest)


class Idempotency:
    """ASGI middleware; requests without the header field pass it by.

    It stands inside of whatever tells who a request is from, and of what bounds bodies.

    Args:
        app: What carries requests out.
        parts: Of the service, once it has started.
    """

    def __init__(self, app: ASGIApp, parts: Callable[[], ServiceParts | None]) -> None:
        self.app = app
        self._parts = parts
        self._in_flight: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] in _SAFE:
            await self.app(scope, receive, send)
            return
        given = [value for name, value in scope["headers"] if name == _FIELD]
        if not given or (parts := self._parts()) is None:
            await self.app(scope, receive, send)
            return
        try:
            digest = _digest(scope, given)
            if digest in self._in_flight:
                raise IN_USE
            keys = IdempotencyKeys(parts.engine)
            found = await anyio.to_thread.run_sync(keys.find, digest)
            if found is not None:
                await (await _again(found, scope, receive))(scope, receive, send)
                return
        except StatusProblem as problem:
            await problem_answer(problem)(scope, receive, send)
            return
        await self._first(digest, keys, scope, receive, send)

    async def _first(
        self, digest: str, keys: IdempotencyKeys, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Carry a request out, and keep its answer."""
        fingerprint = RequestFingerprint(scope)
        request = KeyedRequest(digest, self._in_flight, fingerprint)
        scope[SCOPE_KEY] = request
        scope[RECORDERS] = [*scope.get(RECORDERS, ()), request.mark]

        async def read() -> Message:
            message = await receive()
            if message["type"] == "http.request":
                fingerprint.feed(message.get("body", b""), more=message.get("more_body", False))
            return message

        held: list[Message] = []

        async def kept(message: Message) -> None:
            """Send an answer when it is kept, unless it is none of a change or too large."""
            started = held or (
                message["type"] == "http.response.start"
                and message["status"] < 300
                and (request.changes or request.mark.marked)
            )
            if not started:
                await send(message)
                return
            held.append(message)
            size = sum(len(one.get("body", b"")) for one in held)
            more = message["type"] == "http.response.start" or message.get("more_body", False)
            if more and size <= _MOST_BYTES:
                return
            if not more and size <= _MOST_BYTES:
                mark = request.mark
                given = mark.digest, mark.request, mark.fingerprint(), _answer(held)
                with suppress(StorageUnavailable, StorageFull):  # the change is made all the same
                    await anyio.to_thread.run_sync(keys.keep, *given)
            messages, held[:] = list(held), []
            for one in messages:
                await send(one)

        try:
            await self.app(scope, read, kept)
        finally:
            request.end()


def _digest(scope: Scope, given: list[bytes]) -> str:
    """What a key is found by.

    Raises:
        InvalidIdempotencyKey: It is none.
    """
    key = _KEY.fullmatch(given[0])
    if key is None or len(given) > 1:
        raise InvalidIdempotencyKey(
            "The Idempotency-Key is not one string of 1 to 255 printable ASCII characters, in"
            " quotes or without. Send a random one for each change, such as a UUID."
        )
    principal = principal_of(scope)
    who = f"{principal.tenant}\n{principal.key_id or ''}\n".encode()
    return hashlib.sha256(who + (key[1] or key[2])).hexdigest()


async def _again(found: CarriedOut, scope: Scope, receive: Receive) -> Response:
    """The answer to a request that was carried out.

    Raises:
        IdempotencyKeyReused: It was another one.
        AlreadyCarriedOut: The answer was not kept.
        StatusProblem: The body is refused.
    """
    fingerprint = RequestFingerprint(scope)
    if found.fingerprint != fingerprint.of_head():
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return Response(status_code=400)  # who has hung up hears nothing of it
            more = message.get("more_body", False)
            fingerprint.feed(message.get("body", b""), more=more)
        if found.fingerprint != fingerprint():
            raise IdempotencyKeyReused(
                "This Idempotency-Key came with another request in the last day, which was carried"
                " out: another method, path, parameters or body. Send this one with a new key."
            )
    if found.answer is None and datetime.now(UTC) - found.created_at < _ANSWERED:
        raise IN_USE
    if found.answer is None:
        where = f"Classifier {found.classifier!r} "
        revision = found.content_revision
        where += "was deleted by it" if revision is None else f"was at revision {revision} then"
        raise AlreadyCarriedOut(
            f"The change was made, once, by the first request with this Idempotency-Key. {where};"
            " the answer was not kept, as the service ended before, or it was too large. GET the"
            " classifier to see how it is now.",
            classifier=found.classifier,
            revision=revision,
        )
    headers = {**found.answer.headers, "idempotent-replayed": "true"}
    return Response(found.answer.body, found.answer.status, headers)


def _answer(messages: list[Message]) -> KeptAnswer:
    start, *bodies = messages
    return KeptAnswer(
        status=start["status"],
        headers={
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in start["headers"]
            if name in _HEADERS
        },
        body=b"".join(one.get("body", b"") for one in bodies),
    )
