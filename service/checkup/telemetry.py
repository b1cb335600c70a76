"""Traces: whether they are asked for, and whether the collector is there."""

from __future__ import annotations

import http.client
import os
from collections.abc import Iterator
from urllib.parse import urlsplit

from service.checkup.finding import Finding, ok, problem, warning
from service.settings import Settings
from service.telemetry.tracing import TelemetryError, collector

_SECONDS = 3.0


def look_at_telemetry(settings: Settings) -> Iterator[Finding]:
    """Look at what is told of the service, and to whom."""
    yield ok(
        f"log: {settings.log_format} from {settings.log_level} on"
        + (", with a line a request" if settings.access_log else "")
    )
    try:
        endpoint = collector()
    except TelemetryError as error:
        yield problem(str(error), "correct the variable, or set OTEL_SDK_DISABLED=true")
        return
    if endpoint is None:
        yield ok("no traces (OTEL_EXPORTER_OTLP_ENDPOINT names no collector)")
        return
    sampler = os.environ.get("OTEL_TRACES_SAMPLER", "parentbased_always_on")
    parts = urlsplit(endpoint)
    where = f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"
    secure = parts.scheme == "https"
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=_SECONDS)
    try:
        connection.connect()
    except OSError as error:
        yield warning(
            f"the collector of traces at {where} cannot be reached: {error}",
            "look at it, and at OTEL_EXPORTER_OTLP_ENDPOINT; the service drops traces meanwhile",
        )
    else:
        yield ok(f"traces go to {where}, sampled by {sampler}")
    finally:
        connection.close()
