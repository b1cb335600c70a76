"""The server of gRPC, beside the application, in its event loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import grpc
from fastapi import FastAPI

from service.integrations.open_inference.rpc.calls import handler
from service.integrations.open_inference.rpc.health_methods import HEALTH, Health
from service.integrations.open_inference.rpc.messages import SERVICE
from service.integrations.open_inference.rpc.methods import METHODS
from service.integrations.open_inference.rpc.receiving import Receiving
from service.settings import Settings

logger = logging.getLogger("handful")

# Seconds between two looks whether the service can answer, for who watches its health.
_LOOK = 0.5
# Share of all calls that may watch it, which need no key and do not end by themselves.
_WATCHING = 16
# Share of the time for a shutdown that calls have which are under way when HTTP has ended.
_SHARE = 5
# Bytes of the metadata of a call, as of a request's header fields.
_METADATA = "grpc.max_metadata_size"


@asynccontextmanager
async def serving(app: FastAPI, settings: Settings, port: int) -> AsyncIterator[None]:
    """Serve the protocol as long as this is entered.

    Args:
        app: The application, beside which it is.
        settings: All of them.
        port: Where it listens; several processes share it.

    Raises:
        OSError: The port cannot be had.
    """
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", settings.grpc_max_message_bytes),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", int(settings.processes > 1)),
            (_METADATA, settings.max_head_bytes),
            ("grpc.max_connection_idle_ms", int(settings.keep_alive_seconds * 1000)),
            # A client that has vanished ends with its connection; one that is there answers.
            ("grpc.keepalive_time_ms", int(settings.keep_alive_seconds * 1000)),
        ],
        maximum_concurrent_rpcs=settings.max_connections,
    )
    receiving = Receiving(settings)
    handlers = {
        name: handler(app, receiving, name, one.answer, one.scope) for name, one in METHODS.items()
    }
    health = Health(max(1, settings.max_connections // _WATCHING))
    services = {SERVICE: handlers, HEALTH: health.handlers()}
    server.add_generic_rpc_handlers(
        tuple(grpc.method_handlers_generic_handler(*one) for one in services.items())
    )
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    try:
        server.add_insecure_port(f"{host}:{port}")
    except RuntimeError as error:
        raise OSError(
            f"nothing can listen on {host}:{port} (HANDFUL_GRPC_PORT): {error}"
        ) from error
    await server.start()
    logger.info("gRPC on %s:%d", host, port)
    looking = asyncio.create_task(_tell_health(app, health))
    try:
        yield
    finally:
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking
        health.tell(well=False)
        await server.stop(settings.shutdown_seconds / _SHARE)


async def _tell_health(app: FastAPI, health: Health) -> None:
    """Keep what the health service answers as it is."""
    told: bool | None = None
    while True:
        parts = app.state.parts
        ready = parts is not None and parts.backbone.available
        if ready != told:
            told = ready
            health.tell(well=ready)
        await asyncio.sleep(_LOOK)
