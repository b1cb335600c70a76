"""The direct way of a plain query: from the ASGI scope to the answer, without a framework between.

A prediction by a small encoder takes a few milliseconds of processor time, and what FastAPI and the
middleware do for every request took one and a half of them. Most queries need none of it: their
path, parameters and header fields are such that each layer would let them pass as they are. Those
are answered here, by the same functions (:mod:`service.api.predicting`). Whatever is not plain goes
the documented way, which is the one that decides what is wrong with a request; so does a body that
turns out not to be what was announced, with all of it that was received.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from time import perf_counter

from fastapi_problem.error import StatusProblem
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, ExceptionHandler, Message, Receive, Scope, Send

from service.access.principal import Scope as KeyScope
from service.access.principal import principal_of
from service.access.required_access import RequiredAccess
from service.api.access_control import AccessControl
from service.api.deadlines import deadline_or_disconnect
from service.api.exception_handlers import disconnected
from service.api.image_quota import count_images
from service.api.middleware.bytes_in_flight import BytesInFlight
from service.api.middleware.cross_site import KnownHosts
from service.api.middleware.request_bodies import BodyLimit
from service.api.predicting import (
    CANDIDATES,
    EVIDENCE,
    MOST_CANDIDATES,
    MOST_EVIDENCE,
    predicted,
)
from service.api.problem_documents import problem_answer
from service.api.request_metrics import ACTIVE, record
from service.api.uploads.image_uploads import bare_image, read_images
from service.composition import ServiceParts
from service.images.uploaded import UploadedImage
from service.name_validation import CLASSIFIER
from service.quotas.request_quota import QUOTA_KEY
from service.settings import Settings
from service.tenancy import qualified

TEMPLATE = "/v1/classifiers/{name}/predict"
_PATH = rb"/v1/classifiers/(%s)/predict" % CLASSIFIER.encode()
_PARAMETERS = re.compile(rb"(top_k|evidence)=([0-9]{1,4})(?:&(?!\1)(top_k|evidence)=([0-9]{1,4}))?")
_SECONDS = re.compile(rb"[0-9]{1,6}(?:\.[0-9]{1,6})?")
# Of a body, which is kept until it is whole, so that the other way could have it: below 1 MB.
_LENGTH = re.compile(rb"[1-9][0-9]{0,5}")
_BARE = frozenset(
    f"image/{kind}".encode()
    for kind in ("jpeg", "png", "webp", "gif", "bmp", "tiff", "heic", "heif", "avif")
) | {b"application/octet-stream"}
_FORM = b"multipart/form-data;"
# What browsers say for the cross-site guard and CORS, codings of bodies, keys to be looked at.
_UNUSUAL = (
    b"origin",
    b"sec-fetch-site",
    b"content-encoding",
    b"transfer-encoding",
    b"idempotency-key",
)


@dataclass(frozen=True, slots=True)
class PlainQuery:
    """A request for predictions that every layer of the documented way would let pass.

    Attributes:
        name: The classifier's, bare.
        top_k: Candidates for each image.
        evidence: Support images named for each.
        seconds: That the client waits at most.
        form: Whether the body is a form, and not the one image.
        length: Bytes of the body.
    """

    name: str
    top_k: int
    evidence: int
    seconds: float
    form: bool
    length: int


class DirectPredictions:
    """ASGI application around another one, which it spares plain queries.

    Args:
        documented: The documented way, whole.
        settings: The limits.
        in_flight: The budget of bytes that both ways share.
        hosts: Those that requests may be sent to.
        parts: What answers, once it has started.
        on_defect: What answers errors that are no client's fault.
        access: Who may ask; None: everybody.
    """

    def __init__(
        self,
        documented: ASGIApp,
        settings: Settings,
        in_flight: BytesInFlight,
        hosts: KnownHosts,
        parts: Callable[[], ServiceParts | None],
        on_defect: ExceptionHandler,
        access: AccessControl | None = None,
    ) -> None:
        self.documented = documented
        self.in_flight = in_flight
        self._parts = parts
        self._on_defect = on_defect
        self._access = access
        self._path = re.compile(b"(?:%s)?%s" % (re.escape(settings.root_path.encode()), _PATH))
        self._root_path = settings.root_path
        self._image_limit = BodyLimit.of("POST", "", "image/jpeg", settings).bytes
        self._form_limit = BodyLimit.of("POST", "", "multipart/form-data", settings).bytes
        self._knows_host = lru_cache(maxsize=64)(hosts.named)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        begun = perf_counter()
        parts = self._parts()
        query = None if parts is None else self.plain(scope)
        if parts is None or query is None or not await self._admitted(scope, query):
            await self.documented(scope, receive, send)
            return
        status, sent = 500, 0
        answer: Response
        ACTIVE.inc()
        with self.in_flight.account(scope) as account:
            body = _Body(query, receive, partial(self.in_flight.take, account))
            try:
                content = await _answer(parts, query, scope, body)
                status, sent = 200, len(content)
                await send(_start(content, scope))
                await send({"type": "http.response.body", "body": content})
            except ClientDisconnect:
                answer = disconnected()
                status = answer.status_code
                await answer(scope, receive, send)
            except StatusProblem as problem:
                answer = problem_answer(problem)
                if (quota := scope.get(QUOTA_KEY)) is not None:
                    answer.raw_headers += quota.fields()
                status, sent = problem.status, len(answer.body)
                await answer(scope, receive, send)
            except _NotPlain:
                pass
            except Exception as error:
                await ServerErrorMiddleware(_raising(error), self._on_defect)(scope, receive, send)
            finally:
                ACTIVE.dec()
                if not body.refused:
                    seconds = perf_counter() - begun
                    record(scope, TEMPLATE, status, seconds, query.length, sent)
        if body.refused:
            await self.documented(scope, body.again, send)

    async def _admitted(self, scope: Scope, query: PlainQuery) -> bool:
        """Whether it is from somebody who may ask; the documented way tells those who may not."""
        if self._access is None:
            return True
        try:
            await self._access.admit(scope, RequiredAccess(KeyScope.PREDICT, classifier=query.name))
        except StatusProblem:
            return False
        return True

    def plain(self, scope: Scope) -> PlainQuery | None:
        """What a request asks for; None where it is not plain."""
        if scope["type"] != "http" or scope["method"] != "POST":
            return None
        path = self._path.fullmatch(scope.get("raw_path") or b"")
        if path is None or scope.get("root_path", "") != self._root_path:
            return None
        headers = dict(scope["headers"])
        if len(headers) != len(scope["headers"]) or any(name in headers for name in _UNUSUAL):
            return None
        media_type = headers.get(b"content-type", b"application/octet-stream")
        form = media_type.startswith(_FORM)
        length = headers.get(b"content-length", b"")
        if not (form or media_type in _BARE) or _LENGTH.fullmatch(length) is None:
            return None
        if int(length) > (self._form_limit if form else self._image_limit):
            return None
        if not self._knows_host(headers.get(b"host", b"localhost")):
            return None
        top_k, evidence = CANDIDATES, EVIDENCE
        if query := scope["query_string"]:
            if (found := _PARAMETERS.fullmatch(query)) is None:
                return None
            given = {found[1]: found[2], found[3]: found[4]}
            top_k = int(given.get(b"top_k", top_k))
            evidence = int(given.get(b"evidence", evidence))
            if not (1 <= top_k <= MOST_CANDIDATES and evidence <= MOST_EVIDENCE):
                return None
        seconds = math.inf
        if asked := headers.get(b"request-timeout"):
            seconds = float(asked) if _SECONDS.fullmatch(asked) else 0
        if seconds == 0 or asked == b"":
            return None
        return PlainQuery(path[1].decode(), top_k, evidence, seconds, form, int(length))


class _NotPlain(Exception):
    """The body needs the documented way."""


class _Body:
    """The body of a plain query, admitted as it comes.

    Args:
        query: What was announced.
        receive: Gives it.
        take: Holds so many bytes of the budget, if they fit.

    Attributes:
        refused: Whether it is not what was announced, or does not fit beside others: the
            documented way says so.
    """

    def __init__(self, query: PlainQuery, receive: Receive, take: Callable[[int], bool]) -> None:
        self.refused = False
        self._left = query.length
        self._receive = receive
        self._take = take
        self._received: list[Message] | None = []

    async def next(self) -> Message:
        """The application's ``receive``.

        Raises:
            _NotPlain: It is refused.
        """
        message = await self._receive()
        if message["type"] != "http.request" or self._received is None:
            return message
        self._received.append(message)
        size = len(message.get("body", b""))
        self._left -= size
        if self._left < 0 or not self._take(size):
            self.refused = True
            raise _NotPlain
        if not message.get("more_body", False):
            self._received = None
        return message

    async def whole(self) -> bytes:
        """All of it.

        Raises:
            _NotPlain: It is refused.
            ClientDisconnect: The client hung up.
        """
        pieces, more = [], True
        while more:
            message = await self.next()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            pieces.append(message.get("body", b""))
            more = message.get("more_body", False)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def again(self) -> Message:
        """``receive`` for the documented way, from the beginning."""
        return self._received.pop(0) if self._received else await self._receive()


async def _answer(parts: ServiceParts, query: PlainQuery, scope: Scope, body: _Body) -> bytes:
    request = Request(scope, body.next)

    async def images() -> list[UploadedImage]:
        if query.form:
            return await read_images(request, parts.settings)
        images = bare_image(await body.whole())
        await count_images(scope, len(images))
        return images

    return await predicted(
        parts,
        qualified(principal_of(scope).tenant, query.name),
        images,
        query.top_k,
        query.evidence,
        deadline_or_disconnect(request, min(parts.settings.predict_seconds, query.seconds)),
    )


def _start(content: bytes, scope: Scope) -> Message:
    length = str(len(content)).encode()
    headers = [(b"content-length", length), (b"content-type", b"application/json")]
    if (quota := scope.get(QUOTA_KEY)) is not None:
        headers += quota.fields()
    return {"type": "http.response.start", "status": 200, "headers": headers}


def _raising(error: Exception) -> ASGIApp:
    async def app(_: Scope, __: Receive, ___: Send) -> None:
        raise error

    return app
