"""The service on its port, by one process or by several."""

from __future__ import annotations

import logging

from adapters.collector import without_collections
from service.hosts import is_loopback
from service.private_files import keep_private
from service.serving.logging_setup import configure_logging
from service.settings import Settings
from service.telemetry.tracing import collector

logger = logging.getLogger("handful")


def serve(settings: Settings) -> None:
    """Serve until told to end; blocks.

    Raises:
        Exception: It cannot start; why.
        TelemetryError: Traces cannot be sent as the environment asks for.
        SystemExit: The port cannot be used, which was said.
    """
    configure_logging(settings)
    collector()  # whether traces can be sent as is asked for
    keep_private(settings)
    if settings.auth == "none" and not is_loopback(settings.host):
        logger.warning(
            "whoever reaches port %d of %s may do everything here: ask for keys"
            " (HANDFUL_AUTH=keys, handful keys create) or listen on 127.0.0.1",
            settings.port,
            settings.host,
        )
    if settings.processes > 1:
        from service.serving.multi_process import serve_with_processes

        serve_with_processes(settings)
    else:
        with without_collections():
            from service.serving.single_process import serve_in_this_process  # imports PyTorch

        serve_in_this_process(settings)
