"""What the framework refuses by itself, as problem documents: no such path, no such method."""

from __future__ import annotations

from fastapi_problem.error import Problem
from fastapi_problem.handler import ExceptionHandler, http_exception_handler_
from starlette.exceptions import HTTPException
from starlette.requests import Request

from service.api.allowed_methods import allowed_methods
from service.problems import InvalidRequest, MethodNotAllowed, NoSuchPath

_SHOWN = 200


def unrouted(handler: ExceptionHandler, request: Request, error: HTTPException) -> Problem:
    """Turn an exception of Starlette or FastAPI into one of our problems."""
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
