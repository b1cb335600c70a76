"""Problem documents (RFC 9457) from where no exception handler reaches: ASGI middleware."""

from __future__ import annotations

from fastapi_problem.error import StatusProblem
from starlette.responses import JSONResponse

from service.api.process_metrics import PROBLEMS


def problem_answer(problem: StatusProblem) -> JSONResponse:
    """Return the answer that raising ``problem`` in a route would give."""
    document = problem.marshal()
    PROBLEMS.labels(document["type"]).inc()
    return JSONResponse(
        document,
        problem.status,
        headers={"content-type": "application/problem+json"} | dict(problem.headers or {}),
    )
