"""A span for each request (OpenTelemetry semantic conventions for HTTP servers)."""

from __future__ import annotations

from importlib.metadata import version
from time import perf_counter

from opentelemetry.trace import Span, SpanKind, Status, StatusCode, get_tracer
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.request_metrics import ROUTE, UNCOUNTED, known_method
from service.telemetry.propagation import context_of
from service.telemetry.request_trace import RequestTrace, tell_error

_CONTEXT = (b"traceparent", b"tracestate")
# What of a client's own words goes on to the collector.
_MOST = 200


class TracedRequests:
    """ASGI application around all others, the direct way included, that traces what they do.

    The trace goes on that ``traceparent`` names. Neither query parameters, header fields nor
    anything of a body is told.

    Args:
        app: What answers.
        root_path: Under which a proxy shows it.
    """

    def __init__(self, app: ASGIApp, root_path: str = "") -> None:
        self.app = app
        self._untraced = UNCOUNTED | {root_path + path for path in UNCOUNTED}
        self._tracer = get_tracer("handful", version("handful"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"] in self._untraced:
            await self.app(scope, receive, send)
            return
        span = self._tracer.start_span(
            scope["method"][:20], context_of(_fields(scope)), SpanKind.SERVER, _attributes(scope)
        )
        if not span.is_recording():
            await self.app(scope, receive, send)
            return
        trace = RequestTrace(span)
        exchange = _Exchange(trace, receive, send)
        try:
            with trace.current():
                await self.app(scope, exchange.receive, exchange.send)
        except BaseException as error:
            tell_error(span, type(error).__name__)
            raise
        finally:
            _end(span, scope, exchange.status)


class _Exchange:
    """What a request receives and sends.

    Attributes:
        status: Of the answer; None as long as there is none.
    """

    def __init__(self, trace: RequestTrace, receive: Receive, send: Send) -> None:
        self.status: int | None = None
        self._trace = trace
        self._begun = perf_counter()
        self._bytes = 0
        self._whole = False
        self._receive, self._send = receive, send

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request" and not self._whole:
            self._bytes += len(message.get("body", b""))
            if not message.get("more_body", False):
                self._whole = True
                size = {"http.request.body.size": self._bytes}
                self._trace.add("receive", self._begun, perf_counter(), size)
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)


def _end(span: Span, scope: Scope, status: int | None) -> None:
    if route := scope.get(ROUTE):
        span.update_name(f"{known_method(scope['method'])} {route}")
        span.set_attribute("http.route", route)
    if status is not None:
        span.set_attribute("http.response.status_code", status)
        if status >= 500:
            span.set_attribute("error.type", str(status))
            span.set_status(Status(StatusCode.ERROR))
    span.end()


def _attributes(scope: Scope) -> dict[str, str]:
    found = {
        "http.request.method": known_method(scope["method"]),
        "url.path": scope["path"][:_MOST],
        "url.scheme": scope["scheme"],
        "network.protocol.version": scope["http_version"],
    }
    for name, value in scope["headers"]:
        if name == b"user-agent":
            found["user_agent.original"] = value[:_MOST].decode("latin-1")
    return found


def _fields(scope: Scope) -> dict[str, str]:
    return {
        name.decode(): value.decode("latin-1")
        for name, value in scope["headers"]
        if name in _CONTEXT
    }
