"""One process that answers at once, and with predictions when the encoder is loaded."""

from __future__ import annotations

import uvicorn

from service.api.app import create_app
from service.serving.log import log
from service.settings import Settings


def serve_alone(settings: Settings) -> None:
    """Serve in this process until told to end; blocks.

    Raises:
        Exception: The runtime cannot start; why.
        SystemExit: The port cannot be used, which was said.
    """
    log()
    failures: list[Exception] = []

    def give_up(error: Exception) -> None:
        failures.append(error)
        server.should_exit = True

    server = uvicorn.Server(
        # Requests are counted in /metrics; a line for each would cost a twentieth of their time.
        uvicorn.Config(
            create_app(settings, give_up),
            host=settings.host,
            port=settings.port,
            access_log=False,
        )
    )
    server.run()
    if failures:
        raise failures[0]
    if not server.started:
        raise SystemExit(1)
