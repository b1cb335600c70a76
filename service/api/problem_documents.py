"""Problem documents (RFC 9457) from where no exception handler reaches: ASGI middleware."""

from __future__ import annotations

from fastapi_problem.error import StatusProblem
from starlette.responses import JSONResponse


def problem_answer(problem: StatusProblem) -> JSONResponse:
    """Return the answer that raising ``problem`` in a route would give."""
    return JSONResponse(
        problem.marshal(),
        problem.status,
        headers={"content-type": "application/problem+json"} | dict(problem.headers or {}),
    )
