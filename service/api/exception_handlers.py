"""Exception handlers: whatever a request ends with becomes a problem document (RFC 9457)."""

from __future__ import annotations

import json
import logging
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi_problem.cors import CorsConfiguration
from fastapi_problem.error import Problem
from fastapi_problem.handler import (
    ExceptionHandler,
    add_exception_handler,
    http_exception_handler_,
    new_exception_handler,
)
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from service.api.allowed_methods import allowed_methods
from service.api.process_metrics import PROBLEMS
from service.api.replayed import Replayed
from service.api.request_metrics import UNCOUNTED
from service.problems import (
    InternalError,
    InvalidRequest,
    MethodNotAllowed,
    NoSuchPath,
    StorageUnavailable,
)
from service.storage.errors import Damaged

logger = logging.getLogger("handful")

_SHOWN = 200
# Errors that an answer lists at most: nobody mends thousands at a time.
_LISTED = 20


def handle_exceptions(app: FastAPI, cors: CorsConfiguration | None) -> None:
    """Register the handlers.

    Args:
        app: The application.
        cors: The CORS headers of answers to defects, which no middleware sees.
    """
    handler = new_exception_handler(
        unhandled_wrappers={"default": InternalError},
        handlers={Damaged: _damaged},
        http_exception_handler=_routing_problem,
        request_validation_handler=_validation_problem,
        pre_hooks=[_log_defect, _make_writable],
        post_hooks=[_count],
        cors=cors,
    )
    add_exception_handler(app, handler)
    app.add_exception_handler(Damaged, handler)
    app.add_exception_handler(ClientDisconnect, _client_disconnected)
    app.add_exception_handler(Replayed, _replayed)


def _log_defect(request: Request, error: Exception) -> None:
    """Keep the traceback of what is no client's fault."""
    if isinstance(error, Damaged):
        logger.error("damaged: %s, for %s %r", error, request.method, request.scope["path"])
    elif not isinstance(error, (Problem, HTTPException, RequestValidationError)):
        # As a literal: a path may hold line feeds and what terminals obey.
        logger.error("%s %r failed", request.method, request.scope["path"], exc_info=error)


def _make_writable(_: Request, error: Exception) -> None:
    """What a problem repeats of a request may hold half of a character, which no answer can."""
    if isinstance(error, Problem) and error.detail:
        error.detail = error.detail.encode(errors="replace").decode()


def _count(
    content: dict[str, Any], request: Request, response: Response
) -> tuple[dict[str, Any], Response]:
    """Count it; what probes are told is no refusal."""
    if request.url.path not in UNCOUNTED:
        PROBLEMS.labels(content["type"]).inc()
    return content, response


def _validation_problem(
    _: ExceptionHandler, __: Request, error: RequestValidationError
) -> InvalidRequest:
    """Say what is wrong and where, without repeating what was sent: it may not be writable."""
    listed = [{key: one[key] for key in ("type", "loc", "msg")} for one in error.errors()[:_LISTED]]
    errors = json.loads(json.dumps(listed, ensure_ascii=False).encode(errors="replace"))
    detail = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in errors[:5])
    if (more := len(error.errors()) - 5) > 0:
        detail += f"; and {more} more"
    return InvalidRequest(detail, errors=errors)


def _damaged(_: ExceptionHandler, __: Request, error: Exception) -> StorageUnavailable:
    """A row that is no classifier's alone, or that was not read as part of one."""
    return StorageUnavailable(
        f"A row that this needs is damaged: {error}. Nothing was changed. Whoever runs the service"
        " is told by handful check which row it is, and what to do."
    )


def _client_disconnected(_: Request, __: Exception) -> Response:
    return disconnected()


def _replayed(_: Request, error: Exception) -> Response:
    if not isinstance(error, Replayed):
        raise error
    return error.answer


def disconnected() -> Response:
    """The end of a request whose client hung up while sending; nothing was changed by it."""
    return Response(status_code=400)


def _routing_problem(handler: ExceptionHandler, request: Request, error: HTTPException) -> Problem:
    """Turn what the framework refuses by itself into one of our problems."""
    path = request.scope["path"]
    if error.status_code == 404:
        return no_such_path(path)
    if error.status_code == 405:
        if not (allowed := allowed_methods(request.scope)):  # a page that is not there
            return no_such_path(path)
        return MethodNotAllowed(
            f"{_shown(path)} takes {', '.join(allowed)}, not {request.method[:20]}.",
            headers={"allow": ", ".join(allowed)},
        )
    if error.status_code == 400:  # FastAPI: the body could not be decoded as JSON at all
        return InvalidRequest("The body is no JSON in UTF-8.")
    return http_exception_handler_(handler, request, error)


def no_such_path(path: str) -> NoSuchPath:
    """Return the problem of a path that no route has."""
    if path.endswith("/") and path != "/":
        return NoSuchPath(
            f"There is nothing at {_shown(path)}: no path ends with a slash, and nothing is"
            " redirected. If nothing is missing at its end, leave out the slash."
        )
    return NoSuchPath(f"There is nothing at {_shown(path)}. GET /openapi.json lists all paths.")


def _shown(path: str) -> str:
    return repr(path if len(path) <= _SHOWN else path[:_SHOWN] + "…")
