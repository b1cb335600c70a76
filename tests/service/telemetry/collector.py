"""A stand-in of an OpenTelemetry collector: takes OTLP over HTTP, and keeps the spans."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Sent

_PATIENCE = 60


@dataclass(frozen=True)
class Span:
    """A span as it came; ``process`` is what its resource says."""

    name: str
    trace: str
    id: str
    parent: str
    kind: str
    begin: int
    end: int
    attributes: dict[str, Any]
    links: list[tuple[str, str]]
    failed: bool
    process: dict[str, Any]

    @property
    def milliseconds(self) -> float:
        return (self.end - self.begin) / 1e6


class Collector:
    """What has come so far.

    Attributes:
        refusing: Whether it takes nothing (400).
    """

    def __init__(self) -> None:
        self.refusing = False
        self._came = threading.Condition()
        self._spans: list[Span] = []

    def take(self, body: bytes) -> None:
        with self._came:
            self._spans += _spans(ExportTraceServiceRequest.FromString(body))
            self._came.notify_all()

    @property
    def spans(self) -> list[Span]:
        with self._came:
            return list(self._spans)

    def of_trace(self, trace: str) -> list[Span]:
        return [span for span in self.spans if span.trace == trace]

    def wait(self, found: Callable[[list[Span]], Any]) -> Any:
        """What a function finds in the spans, as soon as that is something."""
        end = time.monotonic() + _PATIENCE
        with self._came:
            while not (result := found(self._spans)):
                assert self._came.wait(end - time.monotonic()), [one.name for one in self._spans]
            return result


@contextmanager
def collecting() -> Iterator[tuple[Collector, str]]:
    """A collector, and its address."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            if not collector.refusing:
                assert self.path == "/v1/traces"
                collector.take(body)
            self.send_response(400 if collector.refusing else 200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield collector, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def _spans(request: ExportTraceServiceRequest) -> Iterator[Span]:
    for resource in request.resource_spans:
        process = _attributes(resource.resource.attributes)
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield Span(
                    span.name,
                    span.trace_id.hex(),
                    span.span_id.hex(),
                    span.parent_span_id.hex(),
                    Sent.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
                    span.start_time_unix_nano,
                    span.end_time_unix_nano,
                    _attributes(span.attributes),
                    [(link.trace_id.hex(), link.span_id.hex()) for link in span.links],
                    span.status.code == span.status.STATUS_CODE_ERROR,
                    process,
                )


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}
