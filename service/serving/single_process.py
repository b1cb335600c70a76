"""Single-process mode: it answers at once, and with predictions when the encoder is loaded."""

from __future__ import annotations

import threading
from types import FrameType

import uvicorn

from service.api.app import create_app
from service.composition import ServiceParts
from service.integrations import chosen
from service.serving.connections import ConnectionLimits, Connections
from service.serving.graceful_shutdown import handle_termination_signals
from service.serving.logging_setup import configure_logging
from service.serving.server_config import CancelledAsEnded, server_config
from service.settings import Settings
from service.telemetry.tracing import start_tracing


def serve_in_this_process(settings: Settings) -> None:
    """Serve in this process until told to end; blocks.

    Raises:
        Exception: The parts cannot start; why.
        SystemExit: The port cannot be used, which was said.
    """
    configure_logging(settings)
    tracing = start_tracing("service")
    failures: list[Exception] = []
    ready = threading.Event()
    connections = Connections(ConnectionLimits.of(settings))

    def stop(_: int = 0, __: FrameType | None = None) -> None:
        server.should_exit = True

    def give_up(error: Exception) -> None:
        failures.append(error)
        stop()

    def start(settings: Settings) -> ServiceParts:
        parts = ServiceParts.start(settings)
        ready.set()
        return parts

    def application() -> CancelledAsEnded:
        handle_termination_signals(connections, settings.shutdown_seconds, ready, stop)
        return CancelledAsEnded(
            create_app(settings, give_up, start, tracing=tracing, integrations=chosen(settings))
        )

    server = uvicorn.Server(server_config(settings, connections, application))
    server.run()
    if failures:
        raise failures[0]
    if not server.started:
        raise SystemExit(1)
