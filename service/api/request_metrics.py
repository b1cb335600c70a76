"""Metrics of requests: how many, how large, how long, by route template, method and status.

Names, labels and buckets are those of prometheus-fastapi-instrumentator, which dashboards know. It
is one function of what is known when a request has ended, where that package has a middleware that
looks for the route of every request by itself, and makes a request and an answer of it again.
"""

from __future__ import annotations

from functools import lru_cache
from time import perf_counter
from typing import NamedTuple

from prometheus_client import Counter, Histogram, Summary
from prometheus_fastapi_instrumentator.routing import get_route_name
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

REQUESTS = Counter(
    "http_requests_total",
    "Total number of requests by method, status and handler.",
    ["method", "status", "handler"],
)
REQUEST_BYTES = Summary(
    "http_request_size_bytes",
    "Content length of incoming requests by handler. Only value of header is respected. Otherwise"
    " ignored. No percentile calculated. ",
    ["handler"],
)
ANSWER_BYTES = Summary(
    "http_response_size_bytes",
    "Content length of outgoing responses by handler. Only value of header is respected. Otherwise"
    " ignored. No percentile calculated. ",
    ["handler"],
)
SECONDS = Histogram(
    "http_request_duration_highr_seconds",
    "Latency with many buckets but no API specific labels. Made for more accurate percentile"
    " calculations. ",
    buckets=(
        *(0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5, 7.5),
        *(10, 30, 60),
    ),
)
SECONDS_BY_HANDLER = Histogram(
    "http_request_duration_seconds",
    "Latency with only few buckets by handler. Made to be only used if aggregation by handler is"
    " important. ",
    ["method", "handler"],
    buckets=(0.1, 0.5, 1),
)
# What orchestrators and Prometheus itself ask for would only cover what clients do.
UNCOUNTED = ("/healthz", "/readyz", "/metrics")
# Of a path that no route has: nobody shall make labels by asking for them.
NO_ROUTE = "none"


class _Series(NamedTuple):
    """The time series of one handler, method and status."""

    requests: Counter
    request_bytes: Summary
    answer_bytes: Summary
    seconds: Histogram


@lru_cache(maxsize=1024)
def _series(handler: str, method: str, status: str) -> _Series:
    return _Series(
        REQUESTS.labels(method, status, handler),
        REQUEST_BYTES.labels(handler),
        ANSWER_BYTES.labels(handler),
        SECONDS_BY_HANDLER.labels(method, handler),
    )


def record(
    handler: str, method: str, status: int, seconds: float, received: int, sent: int
) -> None:
    """Count a request that has ended.

    Args:
        handler: Template of its route.
        method: Of the request.
        status: Of its answer; 500 where there was none.
        seconds: From its head to its end.
        received: ``Content-Length`` of the request; 0 where it had none.
        sent: That of the answer.
    """
    series = _series(handler, method, f"{status // 100}xx")
    series.requests.inc()
    series.request_bytes.observe(received)
    series.answer_bytes.observe(sent)
    SECONDS.observe(seconds)
    series.seconds.observe(seconds)


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

        try:
            await self.app(scope, receive, watched)
        finally:
            seconds = perf_counter() - begun
            template = get_route_name(HTTPConnection(scope), should_include_root_path=False)
            if not any(path in (template or scope["path"]) for path in UNCOUNTED):
                handler = NO_ROUTE if template is None else template
                received = _length(scope["headers"])
                record(handler, scope["method"], status, seconds, received, sent)


def _length(headers: list[tuple[bytes, bytes]]) -> int:
    for name, value in headers:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0
