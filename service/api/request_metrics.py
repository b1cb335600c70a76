"""Metrics of requests: how many, how large, how long, by method, route template and status.

Names, labels and buckets are those of OpenTelemetry's semantic conventions for HTTP servers, as
Prometheus writes them. It is one function of what is known when a request has ended, whichever way
it was answered.
"""

from __future__ import annotations

from functools import lru_cache
from time import perf_counter
from typing import NamedTuple

from prometheus_client import Gauge, Histogram
from prometheus_fastapi_instrumentator.routing import get_route_name
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECONDS = Histogram(
    "http_server_request_duration_seconds",
    "Duration of requests, from the head to the end of the answer.",
    ["http_request_method", "http_route", "http_response_status_code"],
    buckets=(
        *(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10),
        *(30, 60),
    ),
)
_SIZES = (1e3, 1e4, 1e5, 1e6, 1e7, 1e8)
REQUEST_BYTES = Histogram(
    "http_server_request_body_size_bytes",
    "Bodies of requests, by their Content-Length; 0 where there is none.",
    ["http_request_method", "http_route"],
    buckets=_SIZES,
)
ANSWER_BYTES = Histogram(
    "http_server_response_body_size_bytes",
    "Bodies of answers, by their Content-Length; 0 where there is none.",
    ["http_request_method", "http_route"],
    buckets=_SIZES,
)
ACTIVE = Gauge(
    "http_server_active_requests",
    "Requests whose head is there, and not the end of the answer.",
    multiprocess_mode="livesum",
)
# What orchestrators and Prometheus itself ask for would only cover what clients do.
UNCOUNTED = frozenset({"/healthz", "/readyz", "/metrics"})
# Of a path that no route has: nobody shall make labels by asking for them.
NO_ROUTE = "none"
# Where a scope says by which route it was answered, once it is.
ROUTE = "handful.route"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class _Series(NamedTuple):
    """The time series of one route, method and status."""

    seconds: Histogram
    request_bytes: Histogram
    answer_bytes: Histogram


@lru_cache(maxsize=2048)
def _series(route: str, method: str, status: int) -> _Series:
    return _Series(
        SECONDS.labels(method, route, status),
        REQUEST_BYTES.labels(method, route),
        ANSWER_BYTES.labels(method, route),
    )


def known_method(method: str) -> str:
    """The method, or ``_OTHER`` for one that nothing here takes, as the conventions have it."""
    return method if method in _METHODS else "_OTHER"


def record(scope: Scope, route: str, status: int, seconds: float, received: int, sent: int) -> None:
    """Count a request that has ended.

    Args:
        scope: Its; is told of the route.
        route: Its template.
        status: Of its answer; 500 where there was none.
        seconds: From its head to its end.
        received: ``Content-Length`` of the request; 0 where it had none.
        sent: That of the answer.
    """
    scope[ROUTE] = route
    series = _series(route, known_method(scope["method"]), status)
    series.seconds.observe(seconds)
    series.request_bytes.observe(received)
    series.answer_bytes.observe(sent)


class CountedRequests:
    """ASGI application around all others that counts what they are asked.

    Args:
        app: What answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = perf_counter()
        status, sent = 500, 0

        async def watched(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status, sent = message["status"], _length(message["headers"])
            await send(message)

        ACTIVE.inc()
        try:
            await self.app(scope, receive, watched)
        finally:
            ACTIVE.dec()
            seconds = perf_counter() - begun
            template = get_route_name(HTTPConnection(scope), should_include_root_path=False)
            if template not in UNCOUNTED:
                route = NO_ROUTE if template is None else template
                record(scope, route, status, seconds, _length(scope["headers"]), sent)


def _length(headers: list[tuple[bytes, bytes]]) -> int:
    for name, value in headers:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0
