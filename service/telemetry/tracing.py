"""Tracing: OpenTelemetry's SDK, started where the environment names a collector.

The variables are those of the OpenTelemetry specification ("Environment Variable Specification").
Without ``OTEL_EXPORTER_OTLP_ENDPOINT`` nothing of the SDK is imported, and spans cost nothing.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Mapping
from importlib.util import find_spec

logger = logging.getLogger("handful.telemetry")

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_PROTOCOL = "http/protobuf"


class TelemetryError(Exception):
    """Traces are asked for in a way that cannot be had."""


def collector(environment: Mapping[str, str] = os.environ) -> str | None:
    """Where traces are to be sent; None: nowhere.

    Raises:
        TelemetryError: They cannot be sent as the variables say.
    """
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return None
    exporter = environment.get("OTEL_TRACES_EXPORTER", "").strip() or "otlp"
    endpoint = _first(environment, _ENDPOINTS)
    if exporter == "none" or endpoint is None:
        return None
    if exporter != "otlp":
        raise TelemetryError(
            f"OTEL_TRACES_EXPORTER is {exporter!r}; Handful has otlp, and none to send no traces"
        )
    protocol = _first(environment, _PROTOCOLS) or _PROTOCOL
    if protocol != _PROTOCOL:
        raise TelemetryError(
            f"OTEL_EXPORTER_OTLP_PROTOCOL is {protocol!r}; Handful sends traces by {_PROTOCOL},"
            " which collectors take on port 4318"
        )
    if not endpoint.lower().startswith(("http://", "https://")):
        shown = endpoint.rpartition("@")[2]
        raise TelemetryError(
            f"OTEL_EXPORTER_OTLP_ENDPOINT is {shown!r}; write http://HOST:4318 or https://HOST"
        )
    if not _installed():
        raise TelemetryError(
            "OTEL_EXPORTER_OTLP_ENDPOINT asks for traces, which need: pip install 'handful[otel]'."
            " OTEL_SDK_DISABLED=true does without"
        )
    return endpoint


def _installed() -> bool:
    try:
        return find_spec("opentelemetry.exporter.otlp.proto.http.trace_exporter") is not None
    except ModuleNotFoundError:  # of a package around it
        return False


def _first(environment: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next((value for name in names if (value := environment.get(name, "").strip())), None)


class Tracing:
    """The tracing of this process.

    Args:
        shut: Sends what is left, and lets the collector go.
    """

    def __init__(self, shut: Callable[[], object]) -> None:
        self._shut = shut

    def close(self, seconds: float) -> None:
        """Send what is left, for so many seconds at most; what is left then is dropped."""
        last = threading.Thread(target=self._shut, name="last spans", daemon=True)
        last.start()
        last.join(seconds)


def start_tracing(role: str) -> Tracing | None:
    """Start to trace in this process, if the environment asks for it.

    Args:
        role: What the process does, which each span's resource tells.

    Raises:
        TelemetryError: It cannot, as the variables are.
    """
    if (endpoint := collector()) is None:
        return None
    from service.telemetry.sdk import start_sdk  # the extra, and some 200 modules

    try:
        shut = start_sdk(role)
    except ValueError as error:
        raise TelemetryError(f"the OTEL_ variables cannot be used: {error}") from error
    logger.info("traces go to %s", endpoint.rpartition("@")[2])
    return Tracing(shut)
