"""HTTP parameter pollution: a parameter that stands twice in a query has two readings.

Programs on the way take the first or join them, this framework takes the last; so a request whose
query names one twice is refused, before anything is done by either reading (OWASP ASVS 15.3.7).
"""

from __future__ import annotations

from urllib.parse import parse_qsl

from starlette.types import ASGIApp, Receive, Scope, Send

from service.api.problem_documents import problem_answer
from service.problems import InvalidRequest

# Others' protocols have their own rules.
_OURS = "/v1/"
LISTS = frozenset({"labels", "metadata"})
"""Parameters that are lists: each value stands by itself."""
_SHOWN = 100


class UnambiguousQueries:
    """ASGI middleware that refuses queries of the API in which a parameter stands twice."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, whose query has one reading."""
        if scope["type"] == "http" and b"&" in scope.get("query_string", b""):
            path: str = scope["path"].removeprefix(scope.get("root_path", ""))
            name = repeated(scope["query_string"]) if path.startswith(_OURS) else None
            if name is not None:
                problem = InvalidRequest(
                    f"The query has the parameter {name[:_SHOWN]!r} more than once. Send it once."
                )
                await problem_answer(problem)(scope, receive, send)
                return
        await self.app(scope, receive, send)


def repeated(query: bytes) -> str | None:
    """The first parameter, but for lists, that stands there a second time; None: there is none."""
    seen = set()
    for name, _ in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
        if name in seen and name not in LISTS:
            return name
        seen.add(name)
    return None
