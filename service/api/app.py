"""The ASGI application."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi_offline import FastAPIOffline
from fastapi_problem.error import Problem
from fastapi_problem.handler import (
    ExceptionHandler,
    add_exception_handler,
    new_exception_handler,
)
from prometheus_client import CONTENT_TYPE_LATEST, Gauge
from prometheus_client.multiprocess import mark_process_dead
from prometheus_fastapi_instrumentator import Instrumentator
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from service.api import classifiers, health, predict, report, support
from service.api.bodies import Bodies
from service.api.browsers import BrowserGuard, known_hosts
from service.api.cors import allow_origins, cors_of_defects
from service.api.methods import Methods
from service.api.openapi import describe
from service.api.paths import UnambiguousPaths
from service.api.root_path import UnderRootPath
from service.api.unrouted import unrouted
from service.composition import ServiceParts
from service.problems import InternalError, InvalidRequest
from service.settings import Settings

logger = logging.getLogger("handful")

READY = Gauge("handful_ready_processes", "Processes that can answer.", multiprocess_mode="livesum")

# Errors that an answer lists at most: nobody mends thousands at a time.
_TOLD = 20

_DESCRIPTION = """
Register a few images a class, get predictions at once; nothing is trained.

Errors are problem documents (RFC 9457, `application/problem+json`): `type` names the kind,
`detail` says what was wrong with this request and how to mend it. A request that fails changes
nothing.
"""


def _log_defect(request: Request, error: Exception) -> None:
    """Keep the traceback of what is no client's fault."""
    if not isinstance(error, (Problem, HTTPException, RequestValidationError)):
        # As a literal: a path may hold line feeds and what terminals obey.
        logger.error("%s %r failed", request.method, request.scope["path"], exc_info=error)


def _not_as_described(
    _: ExceptionHandler, __: Request, error: RequestValidationError
) -> InvalidRequest:
    """Say what is wrong and where, without repeating what was sent: it may not be writable."""
    told = [{key: one[key] for key in ("type", "loc", "msg")} for one in error.errors()[:_TOLD]]
    errors = json.loads(json.dumps(told, ensure_ascii=False).encode(errors="replace"))
    detail = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in errors[:5])
    if (more := len(error.errors()) - 5) > 0:
        detail += f"; and {more} more"
    return InvalidRequest(detail, errors=errors)


def _nobody_listens(_: Request, __: Exception) -> Response:
    """End a request whose client hung up while sending; nothing was changed by it."""
    return Response(status_code=400)


def create_app(
    settings: Settings,
    on_failure: Callable[[Exception], None] | None = None,
    start: Callable[[Settings], ServiceParts] = ServiceParts.start,
) -> FastAPI:
    """Build the application; it answers at once and is ready when its runtime has started.

    Where several processes serve, it answers once it is ready: until then others do.

    Args:
        settings: All settings.
        on_failure: Called if the runtime cannot start, with the reason.
        start: What starts it; blocks.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async def begin() -> None:
            try:
                app.state.runtime = await asyncio.to_thread(start, settings)
                READY.set(1)
                # What has been made so far lives as long as the process. Python's collector would
                # walk through all of it again and again, while no request is worked on.
                gc.freeze()
            except Exception as error:
                if on_failure is None:
                    raise
                on_failure(error)

        starting = asyncio.create_task(begin())
        if settings.processes > 1:
            await starting
        yield
        await starting
        if app.state.runtime is not None:
            app.state.runtime.close()
        if settings.processes > 1:  # out of the gauges, which are those of all
            mark_process_dead(os.getpid())  # type: ignore[no-untyped-call]

    app = FastAPIOffline(  # /docs works without a content delivery network
        title="Handful",
        version=version("handful"),
        summary="Few-shot image classification.",
        description=_DESCRIPTION,
        lifespan=lifespan,
        root_path=settings.root_path,
        generate_unique_id_function=lambda route: route.name,  # functions of generated clients
        redirect_slashes=False,  # never send a DELETE on to another path
    )
    app.state.runtime = None
    for module in (classifiers, support, predict, report, health):
        app.include_router(module.router)
    handler = new_exception_handler(
        unhandled_wrappers={"default": InternalError},
        http_exception_handler=unrouted,
        request_validation_handler=_not_as_described,
        pre_hooks=[_log_defect],
        cors=cors_of_defects(settings),
    )
    add_exception_handler(app, handler)
    describe(app)
    app.add_exception_handler(ClientDisconnect, _nobody_listens)
    # Each of these stands around those before it.
    app.add_middleware(Methods)
    app.add_middleware(UnambiguousPaths)
    app.add_middleware(Bodies, settings=settings)
    allow_origins(app, settings)
    app.add_middleware(BrowserGuard, origins=settings.cors_origins, hosts=known_hosts(settings))
    Instrumentator(excluded_handlers=["/healthz", "/readyz", "/metrics"]).instrument(app).expose(
        app,
        endpoint="/metrics",
        tags=["health"],
        summary="Prometheus metrics",
        response_class=Response,
        responses={
            200: {
                "content": {CONTENT_TYPE_LATEST: {"schema": {"type": "string"}}},
                "description": "The text format of Prometheus",
            }
        },
    )
    if settings.root_path:
        app.add_middleware(UnderRootPath, root_path=settings.root_path)
    return app
