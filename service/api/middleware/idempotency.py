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
from fastapi import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.access.principal import principal_of
from service.api.replayed import Replayed
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
_FIELD, _REPLAYED = b"idempotency-key", b"idempotent-replayed"
_SAFE = {"GET", "HEAD", "OPTIONS"}
_KEY = re.compile(rb'[ \t]*(?:"([!#-\[\]-~ ]{1,255})"|([!#-~]{1,255}))[ \t]*')
# Of an answer that is kept, before it is compressed.
_MOST_BYTES = 2**20
# Another process may be about to keep the answer of a change that it has just made.
_ANSWERED = timedelta(seconds=2)
_HEADERS = {b"content-type", b"etag", b"location", b"cache-control", b"preference-applied"}


class KeyedRequest:
    """A request with a key, in its ASGI scope.

    Args:
        scope: ASGI's.
        given: Values of the header field.
        in_flight: Digests of keys whose requests this process carries out.
    """

    def __init__(self, scope: Scope, given: list[bytes], in_flight: set[str]) -> None:
        self.fingerprint = RequestFingerprint(scope)
        self.mark: RequestMark | None = None
        self._scope = scope
        self._given = given
        self._in_flight = in_flight

    async def begin(self, keys: IdempotencyKeys, request: Request) -> RequestMark:
        """Begin a change that is made once.

        Args:
            keys: Of the database.
            request: Whose body is read if it was carried out before.

        Returns:
            The recorder that marks it.

        Raises:
            Replayed: It was carried out.
            InvalidIdempotencyKey: The key is none.
            IdempotencyKeyInUse: It is being carried out.
            IdempotencyKeyReused: The key is that of another request.
            AlreadyCarriedOut: It was carried out, and the answer was not kept.
        """
        digest = _digest(self._scope, self._given)
        if digest in self._in_flight:
            raise IN_USE
        self._in_flight.add(digest)
        self.mark = mark = RequestMark(digest, uuid.uuid4().hex, self.fingerprint)
        found = await anyio.to_thread.run_sync(keys.find, digest)
        if found is not None:
            if found.fingerprint != self.fingerprint.of_head():
                if not self.fingerprint.whole:
                    async for _ in request.stream():
                        pass
                if found.fingerprint != self.fingerprint():
                    raise _REUSED
            raise Replayed(_again(found))
        return mark

    def end(self) -> None:
        """It is answered."""
        if self.mark is not None:
            self._in_flight.discard(self.mark.digest)


class Idempotency:
    """ASGI middleware that keeps the answers of changes which were begun with a key.

    Requests without the header field pass it by. It stands inside of whatever tells who a request
    is from, and of what bounds bodies.

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
        if not given:
            await self.app(scope, receive, send)
            return
        request = scope[SCOPE_KEY] = KeyedRequest(scope, given, self._in_flight)

        async def read() -> Message:
            message = await receive()
            if message["type"] == "http.request":
                more = message.get("more_body", False)
                request.fingerprint.feed(message.get("body", b""), more=more)
            return message

        held: list[Message] = []

        async def kept(message: Message) -> None:
            """Send an answer when it is kept, unless it is none of a change or too large."""
            if not held and not _is_to_be_kept(message, request.mark):
                await send(message)
                return
            held.append(message)
            size = sum(len(one.get("body", b"")) for one in held)
            more = message["type"] == "http.response.start" or message.get("more_body", False)
            if more and size <= _MOST_BYTES:
                return
            if not more and size <= _MOST_BYTES:
                other = await self._keep(request, _answer(held))
                if other is not None:  # one key has one answer, whichever process gives it
                    await _again(other)(scope, receive, send)
                    return
            messages, held[:] = list(held), []
            for one in messages:
                await send(one)

        try:
            await self.app(scope, read, kept)
        finally:
            request.end()

    async def _keep(self, request: KeyedRequest, answer: KeptAnswer) -> CarriedOut | None:
        """Keep an answer; returns the same request, where another process has answered it."""
        if (mark := request.mark) is None or (parts := self._parts()) is None:
            return None
        keys, fingerprint = IdempotencyKeys(parts.engine), request.fingerprint()
        with suppress(StorageUnavailable, StorageFull):  # the change is made all the same
            other = await anyio.to_thread.run_sync(
                keys.keep, mark.digest, mark.request, fingerprint, answer
            )
            if other is not None and other.answer and other.fingerprint == fingerprint:
                return other
        return None


def _is_to_be_kept(message: Message, mark: RequestMark | None) -> bool:
    """Whether it begins the answer to a change that was carried out."""
    if mark is None or message["type"] != "http.response.start" or message["status"] >= 300:
        return False
    # What may be stored nowhere is not stored here: a key that was just made.
    return all(
        name != _REPLAYED and not (name == b"cache-control" and value == b"no-store")
        for name, value in message["headers"]
    )


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
    who = f"{principal.tenant}\n{principal.key_id or ''}\n{principal.user or ''}\n".encode()
    return hashlib.sha256(who + (key[1] or key[2])).hexdigest()


_REUSED = IdempotencyKeyReused(
    "This Idempotency-Key came with another request in the last day, which was carried out: another"
    " method, path, parameters or body. Send this one with a new key."
)


def _again(found: CarriedOut) -> Response:
    """The answer to a request that was carried out.

    Raises:
        IdempotencyKeyInUse: It is about to be answered.
        AlreadyCarriedOut: The answer was not kept.
    """
    if found.answer is None and found.classifier is None:
        raise AlreadyCarriedOut(
            "A key was made, once, by the first request with this Idempotency-Key. Its text was in"
            " the answer to that, and is kept nowhere. If it was lost, revoke that key, which GET"
            " /v1/keys lists, and make another with a new Idempotency-Key."
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
    headers = {**found.answer.headers, _REPLAYED.decode(): "true"}
    return Response(found.answer.body, found.answer.status, headers)


def kept_answer(response: Response) -> KeptAnswer:
    """What is kept of an answer."""
    start = {"status": response.status_code, "headers": response.raw_headers}
    return _answer([start, {"body": bytes(response.body)}])


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
