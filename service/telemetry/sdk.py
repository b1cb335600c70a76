"""OpenTelemetry's SDK as this service uses it; imported only where traces are asked for."""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Callable, Sequence
from importlib.metadata import version

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from prometheus_client import Counter

logger = logging.getLogger("handful.telemetry")

SPANS = Counter("handful_spans_total", "Spans sent to the collector, or lost.", ["outcome"])


class ToldOnce(SpanExporter):
    """An exporter around another one that says once that it fails, and once that it does not.

    What cannot be sent is dropped, and counted: requests must not suffer for it.

    Args:
        exporter: The one that sends.
    """

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._fails = False
        for outcome in ("sent", "lost"):
            SPANS.labels(outcome)  # told from the start

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send some; blocks as long as OTEL_EXPORTER_OTLP_TIMEOUT."""
        result = self._exporter.export(spans)
        sent = result is SpanExportResult.SUCCESS
        SPANS.labels("sent" if sent else "lost").inc(len(spans))
        if not sent and not self._fails:
            logger.warning(
                "the collector of traces cannot be reached or refuses them: they are dropped until"
                " it takes them again (handful_spans_total counts them)"
            )
        elif sent and self._fails:
            logger.warning("the collector takes traces again")
        self._fails = not sent
        return result

    def shutdown(self) -> None:
        """Let it go; ends a wait of :meth:`export`."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Nothing is kept here."""
        return True


def start_sdk(role: str) -> Callable[[], object]:
    """Start it for this process: spans go out in batches, by a thread, from a bounded queue.

    Args:
        role: What the process does.

    Returns:
        What sends the rest and ends it.

    Raises:
        ValueError: A variable has a value that it cannot have.
    """
    # Its own lines would come with each batch that cannot be sent.
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    ours = Resource(
        {
            "service.name": "handful",
            "service.version": version("handful"),
            "service.instance.id": str(uuid.uuid4()),
            "process.pid": os.getpid(),
            "handful.process.role": role,
        }
    )
    # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win.
    resource = Resource.create({}).merge(ours).merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(ToldOnce(OTLPSpanExporter())))
    trace.set_tracer_provider(provider)
    return provider.shutdown
