"""The ASGI application."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI, Response
from fastapi_offline import FastAPIOffline
from prometheus_client import CONTENT_TYPE_LATEST
from prometheus_fastapi_instrumentator import Instrumentator
from starlette.types import ASGIApp

from adapters.collector import without_collections
from service.api.access_control import AccessControl
from service.api.access_log import AccessLog
from service.api.direct_predictions import DirectPredictions
from service.api.ending import ENDING
from service.api.exception_handlers import handle_exceptions
from service.api.integration import Integration, Integrations
from service.api.json_images.body_schemas import body_schemas
from service.api.limiters import Limiters
from service.api.middleware.access_guard import AccessGuard
from service.api.middleware.bytes_in_flight import BytesInFlight
from service.api.middleware.cors import allow_origins, cors_of_defects
from service.api.middleware.cross_site import CrossSiteGuard, KnownHosts, known_hosts
from service.api.middleware.foreign_errors import ForeignErrors
from service.api.middleware.head_and_options import HeadAndOptions
from service.api.middleware.idempotency import Idempotency
from service.api.middleware.path_normalisation import UnambiguousPaths
from service.api.middleware.query_parameters import UnambiguousQueries
from service.api.middleware.request_bodies import RequestBodies
from service.api.middleware.root_path import RootPath
from service.api.openapi.document import describe
from service.api.process_metrics import tell_ready
from service.api.request_metrics import CountedRequests
from service.api.request_tracing import TracedRequests
from service.api.routes import ROUTERS
from service.composition import ServiceParts
from service.quotas.gcra import Meters, ProcessMeters
from service.reports.embedding_map import MapCache
from service.reports.report_cache import ReportCache
from service.settings import Settings
from service.telemetry.tracing import Tracing

# Seconds for what is still to be told of requests, at the end.
_LAST_SPANS = 0.5

# FastAPI's would be sent wherever OTEL_ variables say, with query parameters, and twice.
_NO_SPANS_OF_ITS_OWN = dict.fromkeys(("tracing", "metrics", "logs", "auto_configure"), False)

_DESCRIPTION = """
Register a few images a class, get predictions at once; nothing is trained.

Errors are problem documents (RFC 9457, `application/problem+json`): `type` names the kind,
`detail` says what was wrong with this request and how to mend it. A request that fails changes
nothing.
"""


def create_app(
    settings: Settings,
    on_failure: Callable[[Exception], None] | None = None,
    start: Callable[[Settings], ServiceParts] = ServiceParts.start,
    *,
    answer_while_starting: bool = True,
    on_exit: Callable[[], None] | None = None,
    meters: Meters | None = None,
    tracing: Tracing | None = None,
    integrations: Sequence[Integration] = (),
) -> FastAPI:
    """Build the application; it answers at once and is ready when its parts have started.

    Args:
        settings: All settings.
        on_failure: Called if they cannot start, with the reason.
        start: What starts them; blocks.
        answer_while_starting: Whether it takes requests before it is ready, which it refuses with
            503; otherwise it begins to when it is ready, as where other processes serve so long.
        on_exit: Called last, when it has shut down.
        meters: Where requests are counted for rate limits; None: in this process alone.
        tracing: That of this process; None: nothing is traced.
        integrations: Of other systems, that are switched on.
    """
    theirs = Integrations(integrations, settings.root_path)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        async def begin() -> None:
            try:
                with without_collections():
                    app.state.parts = await asyncio.to_thread(start, settings)
                app.state.parts.jobs.begin()
                tell_ready(app.state.parts)
                # What has been made so far lives as long as the process. Python's collector would
                # walk through all of it again and again, while no request is worked on.
                gc.freeze()
            except Exception as error:
                if on_failure is None:
                    raise
                on_failure(error)

        async def integrate(ended: asyncio.Event) -> None:
            """Load integrations once the service can answer, which therefore waits for none."""
            await starting
            if app.state.parts is None:
                return
            try:
                async with theirs.beside(app):
                    gc.freeze()  # as above
                    await ended.wait()
            except Exception as error:
                if on_failure is None:
                    raise
                on_failure(error)

        starting = asyncio.create_task(begin())
        if not answer_while_starting:
            await starting
        ended = asyncio.Event()
        others = asyncio.create_task(integrate(ended))
        # The connections of this process set it when they are told to end.
        yield {ENDING: asyncio.Event()}
        ended.set()
        await others
        if app.state.parts is not None:
            await app.state.parts.jobs.end()
            app.state.parts.close()
        if tracing is not None:
            tracing.close(min(_LAST_SPANS, settings.shutdown_seconds / 10))
        if on_exit is not None:
            on_exit()

    app = FastAPIOffline(  # /docs works without a content delivery network
        title="Handful",
        version=version("handful"),
        summary="Few-shot image classification.",
        description=_DESCRIPTION,
        lifespan=lifespan,
        root_path=settings.root_path,
        generate_unique_id_function=lambda route: route.name,  # functions of generated clients
        telemetry=_NO_SPANS_OF_ITS_OWN,
        redirect_slashes=False,  # never send a DELETE on to another path
    )
    app.state.parts = None
    app.state.limiters = Limiters()
    app.state.reports = ReportCache(settings.root_path)
    app.state.maps = MapCache()
    for router in ROUTERS:
        app.include_router(router)
    handle_exceptions(app, cors_of_defects(settings))
    describe(
        app, ROUTERS, body_schemas(fetches=bool(settings.fetch_from)), keys=settings.auth == "keys"
    )
    # Each of these stands around those before it.
    access = None
    app.add_middleware(HeadAndOptions)
    app.add_middleware(Idempotency, parts=lambda: app.state.parts)
    app.add_middleware(UnambiguousQueries)
    if settings.auth != "none":
        access = AccessControl(settings, lambda: app.state.parts, meters or ProcessMeters())
        app.add_middleware(AccessGuard, access=access, required_access=theirs.required_access)
    app.state.access = access
    app.add_middleware(UnambiguousPaths)
    in_flight = BytesInFlight(settings.max_bytes_in_flight)
    app.state.in_flight = in_flight
    app.add_middleware(
        RequestBodies, settings=settings, in_flight=in_flight, take_images=theirs.take_images
    )
    allow_origins(app, settings)
    app.add_middleware(CrossSiteGuard, origins=settings.cors_origins, hosts=known_hosts(settings))
    Instrumentator().expose(
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
        app.add_middleware(RootPath, root_path=settings.root_path)
    if integrations:
        _tell_errors(app, theirs)
    _spare_plain_queries(app, settings, in_flight, access, traced=tracing is not None)
    return app


def _tell_errors(app: FastAPI, integrations: Integrations) -> None:
    """Put what rewrites errors around all middleware, also around what answers defects."""
    documented = app.build_middleware_stack
    app.build_middleware_stack = (  # type: ignore[method-assign]
        lambda: ForeignErrors(documented(), integrations)
    )


def _spare_plain_queries(
    app: FastAPI,
    settings: Settings,
    in_flight: BytesInFlight,
    access: AccessControl | None,
    *,
    traced: bool,
) -> None:
    """Put the direct way around all middleware, and between them what counts requests.

    What traces and writes down each request stands around both ways, where it is asked for.
    """
    documented = app.build_middleware_stack

    def stack() -> ASGIApp:
        whole: ASGIApp = DirectPredictions(
            CountedRequests(documented()),
            settings,
            in_flight,
            KnownHosts(known_hosts(settings)),
            lambda: app.state.parts,
            app.exception_handlers[Exception],
            access,
        )
        if settings.access_log:
            whole = AccessLog(whole)
        return TracedRequests(whole, settings.root_path) if traced else whole

    app.build_middleware_stack = stack  # type: ignore[method-assign]
