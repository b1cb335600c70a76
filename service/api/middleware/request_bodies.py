"""Request body limits: bodies are capped by their type, decoded, and admitted as they come."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from fastapi_problem.error import StatusProblem
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.middleware.bytes_in_flight import Account, BytesInFlight
from service.api.middleware.content_coding import StreamDecoder, coding
from service.api.preferences import prefers_async
from service.api.problem_documents import problem_answer
from service.problems import ImageTooLarge, RequestTooLarge
from service.settings import Settings

# Lingering close (RFC 9112, 9.6): how long a client that is refused may go on sending, before the
# connection is closed under it. Closed at once, it might never see the answer. The connection has
# one of its own for what it refuses (service/serving/http_connection.py), but knows nothing of a
# body that is refused here: to it, an answer that ends closes the connection.
_LINGER_SECONDS = 10.0
_LINGER_IDLE_SECONDS = 2.0
_IMPORT = re.compile("/v1/classifiers/[^/]+/import$")
# What takes images in JSON, which are forms of another kind.
_IMAGES = re.compile(
    "/v1/(classifiers/[^/]+/(predict|support|similar|classes/[^/]+/images)|embeddings)$"
)
# What strangers may send a body to: it holds a key.
_LOG_IN = "/v1/session"
_KEY_BYTES = 4096
_PROMPTS = re.compile("/v1/prompts/[^/]+$")
# As adapters.prompts.checkpoint.MOST_BYTES, whose package imports open_clip.
_PROMPT_BYTES = 16 * 2**20
_JOB = re.compile("/v1/classifiers/[^/]+/(predict|support)$")


@dataclass(frozen=True, slots=True)
class BodyLimit:
    """Most bytes of a body, as it is sent and decoded.

    Attributes:
        bytes: How many.
        setting: Which one says so.
        image: Whether it is that of an image.
        to_disk: Whether it goes to the disk as it comes, so that not all of it is in memory.
    """

    bytes: int
    setting: str
    image: bool = False
    to_disk: bool = False

    @classmethod
    def of(
        cls,
        method: str,
        path: str,
        content_type: str,
        settings: Settings,
        *,
        asynchronous: bool = False,
        takes_images: bool = False,
    ) -> BodyLimit:
        """The limit of a body of this type; small where nothing large is expected.

        Images, forms of them and zips are posted, also as JSON where images are taken; classifiers'
        files are put where they are imported, and trained prompts where these are. What else is
        sent is read as JSON, whatever it says to be, unless its path takes images in its own way.
        """
        if path.endswith(_LOG_IN):
            return cls(_KEY_BYTES, "no key is longer")
        media_type = content_type.partition(";")[0].strip().lower()
        whole = cls(settings.max_request_bytes, "HANDFUL_MAX_REQUEST_BYTES")
        posted = method == "POST"
        if posted and takes_images:
            return whole
        found = _JOB.search(path) if posted and "zip" in media_type else None
        if found is not None and (asynchronous or found[1] == "predict"):
            return cls(settings.max_job_bytes, "HANDFUL_MAX_JOB_BYTES", to_disk=True)
        if posted and (media_type.startswith("multipart/") or "zip" in media_type):
            return whole
        if posted and media_type.endswith(("/json", "+json")) and _IMAGES.search(path):
            return whole
        if method == "PUT" and _PROMPTS.search(path):
            own = cls(_PROMPT_BYTES, "no prompts are larger")
            return min(own, whole, key=lambda limit: limit.bytes)
        if method == "PUT" and "zip" in media_type and _IMPORT.search(path):
            return whole
        if posted and (
            media_type.startswith("image/") or media_type in {"", "application/octet-stream"}
        ):
            own = cls(settings.max_image_bytes, "HANDFUL_MAX_IMAGE_BYTES", image=True)
        else:
            own = cls(settings.max_json_bytes, "HANDFUL_MAX_JSON_BYTES")
        return min(own, whole, key=lambda limit: limit.bytes)

    def exceeded(self, declared: int | None = None) -> StatusProblem:
        """The refusal of a body over the limit."""
        size = f"more than {self.bytes}" if declared is None else str(declared)
        if self.image:
            return ImageTooLarge(
                f"The image has {size} bytes; at most {self.bytes} are accepted ({self.setting}). "
                "Send several images as multipart/form-data, and large ones smaller."
            )
        return RequestTooLarge(
            f"The request body has {size} bytes; at most {self.bytes} are accepted "
            f"({self.setting}). Send several smaller requests."
        )


class RequestBodies:
    """ASGI middleware through which all bodies come.

    A body is refused when the application begins to read it, or while it reads: too large for
    its type (413), compressed in an unknown way (415), or too much beside the bodies of others
    (503). What the application never reads is never looked at, so its own refusals go first.

    Args:
        app: What reads them.
        settings: The limits.
        in_flight: The budget of bytes of all requests.
        take_images: Whether bodies that are posted to a path hold images in a way of its own.
    """

    def __init__(
        self,
        app: ASGIApp,
        settings: Settings,
        in_flight: BytesInFlight,
        take_images: Callable[[str], bool],
    ) -> None:
        self.app = app
        self.settings = settings
        self.in_flight = in_flight
        self._take_images = take_images

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        with self.in_flight.account(scope) as account:
            headers = Headers(scope=scope)
            if headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers:
                await self.app(scope, receive, send)
                return
            content_type = headers.get("content-type", "")
            limit = BodyLimit.of(
                scope["method"],
                scope["path"],
                content_type,
                self.settings,
                asynchronous=prefers_async(headers.getlist("prefer")),
                takes_images=self._take_images(scope["path"]),
            )
            body = _Body(headers, limit, account)
            if "content-encoding" in headers:
                decoded = MutableHeaders(scope=scope)  # what the application reads has neither
                del decoded["content-encoding"], decoded["content-length"]
            started = False

            async def watched(message: Message) -> None:
                # Whatever reads the body may make another error of ours.
                nonlocal started
                if body.refusal is None or started:
                    started = True
                    await send(message)

            async def read() -> Message:
                try:
                    return await body.read(receive)
                except StatusProblem:
                    if not started:
                        raise
                    # Nobody reads it: whoever streams an answer listens for its client's end.
                    return await receive()

            try:
                await self.app(scope, read, watched)
            except Exception:
                # As who listens so may: the beginning of an answer that was not sent any more.
                if body.refusal is None or started:
                    raise
            if body.refusal is not None and not started:
                # Nothing is held while the client is waited for, by the traceback neither.
                body.refusal.with_traceback(None)
                account.close()
                await _refuse(body.refusal, receive, send, lingering=not body.whole)


class _Body:
    """The body of one request.

    Attributes:
        refusal: Why it is not read any further; None if it is.
        whole: Whether all of it has come.
    """

    def __init__(self, headers: Headers, limit: BodyLimit, account: Account) -> None:
        self.refusal: StatusProblem | None = None
        self.whole = False
        self._limit = limit
        self._account = account
        self._begun = False
        self._decoder: StreamDecoder | None = None
        self._received = self._decoded = 0
        declared = headers.get("content-length", "")
        self._declared = int(declared) if declared.isascii() and declared.isdecimal() else None
        self._coding = headers.get("content-encoding", "")

    async def read(self, receive: Receive) -> Message:
        """The application's ``receive``.

        Raises:
            StatusProblem: The body is refused.
        """
        if self.refusal is not None:
            raise self.refusal
        try:
            if not self._begun:
                self._begun = True
                self._begin()
            if self._decoder is None:
                return await self._as_sent(receive)
            return await self._decoded_piece(self._decoder, receive)
        except StatusProblem as refusal:
            self.refusal = refusal
            raise

    def _begin(self) -> None:
        if (named := coding(self._coding)) is not None:
            self._decoder = StreamDecoder(named)
        if self._declared is not None:
            if self._declared > self._limit.bytes:
                raise self._limit.exceeded(self._declared)
            if not self._limit.to_disk:
                self._account.expect(self._declared)

    async def _as_sent(self, receive: Receive) -> Message:
        message = await receive()
        if message["type"] == "http.request":
            self._receive(message)
            self._account.take(len(message.get("body", b"")))
        return message

    async def _decoded_piece(self, decoder: StreamDecoder, receive: Receive) -> Message:
        while True:
            if piece := decoder.piece():
                self._decoded += len(piece)
                if self._decoded > self._limit.bytes:
                    raise self._limit.exceeded()
                self._account.take(len(piece))
                await asyncio.sleep(0)  # a few bytes may be many pieces: others have their turn
                return {"type": "http.request", "body": piece, "more_body": True}
            if self.whole and self._decoder is not None:
                decoder.finish()
                self._decoder = None  # from now on the application hears of the client alone
                return {"type": "http.request", "body": b"", "more_body": False}
            message = await receive()
            if message["type"] != "http.request":
                return message
            self._receive(message)
            decoder.feed(message.get("body", b""))

    def _receive(self, message: Message) -> None:
        self._received += len(message.get("body", b""))
        self.whole = not message.get("more_body", False)
        if self._received > self._limit.bytes:
            raise self._limit.exceeded()


async def _refuse(problem: StatusProblem, receive: Receive, send: Send, *, lingering: bool) -> None:
    """Answer at once; then, for a while, take what the client still sends, and leave it."""
    answer = problem_answer(problem)
    if lingering:
        answer.headers["connection"] = "close"
    await send(
        {"type": "http.response.start", "status": problem.status, "headers": answer.raw_headers}
    )
    await send({"type": "http.response.body", "body": answer.body, "more_body": lingering})
    if not lingering:
        return
    with suppress(TimeoutError):
        async with asyncio.timeout(_LINGER_SECONDS):
            more = True
            while more:
                async with asyncio.timeout(_LINGER_IDLE_SECONDS):
                    message = await receive()
                more = message["type"] == "http.request" and message.get("more_body", False)
    await send({"type": "http.response.body", "body": b"", "more_body": False})
