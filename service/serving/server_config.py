"""Server configuration: uvicorn as this service uses it, by one process or by several."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from typing import TYPE_CHECKING, cast

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.config import LOGGING_CONFIG
from uvicorn.logging import DefaultFormatter

from service.serving.connections import Connections
from service.serving.graceful_shutdown import cancel_seconds
from service.serving.http_connection import HttpConnection
from service.settings import Settings
from service.telemetry.logs import without_secrets

if TYPE_CHECKING:
    from fastapi import FastAPI


class UvicornLines(DefaultFormatter):
    """Uvicorn's own lines, as without settings."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        return without_secrets(super().format(record))


_TEXT_LINES = deepcopy(LOGGING_CONFIG)
_TEXT_LINES["formatters"]["default"]["()"] = UvicornLines


def server_config(
    settings: Settings, connections: Connections, application: Callable[[], ASGIApp]
) -> uvicorn.Config:
    """Uvicorn's configuration.

    Args:
        settings: All of them.
        connections: Those of a process, or of each process that will be spawned.
        application: Makes the application, in the event loop of the process that serves it.
    """
    return uvicorn.Config(
        application,
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.processes,
        http=cast("type[asyncio.Protocol]", partial(HttpConnection, connections)),
        ws="none",  # a connection that is upgraded would leave its limits behind
        # Requests are counted in /metrics; a line for each would cost a twentieth of their time.
        access_log=False,
        # None: lines go to the handler that this process has.
        log_config=None if settings.log_format == "json" else _TEXT_LINES,
        log_level=settings.log_level,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips="*" if "*" in settings.trusted_proxies else settings.trusted_proxies,
        headers=headers_of_answers(settings),
        timeout_graceful_shutdown=cancel_seconds(settings.shutdown_seconds),  # type: ignore[arg-type]
    )


def headers_of_answers(settings: Settings) -> list[tuple[str, str]]:
    """Header fields of every answer, whatever it says."""
    # What another site's page may embed without reading it: nothing, unless a site may read.
    policy = "cross-origin" if settings.cors_origins else "same-origin"
    return [
        ("cross-origin-resource-policy", policy),
        # What clients have sent comes back to browsers as what it was sent as.
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),  # paths hold names of classifiers and classes
    ]


class CancelledAsEnded:
    """ASGI middleware that takes the cancellation of a request for its end.

    Uvicorn cancels what a shutdown cannot wait for, and would log it as a defect.
    """

    def __init__(self, app: FastAPI) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        try:
            await self.app(scope, receive, send)
        except asyncio.CancelledError:
            if scope["type"] != "http":
                raise
