"""JSON request bodies, limited so that parsing one cannot block the event loop."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from service.problems import RequestTooLarge

# Each value of a JSON document has a comma, a colon or a bracket to itself; those inside of strings
# count as well, which is no matter: a classifier of 10 000 classes has room for ten in each name.
# Parsing so many takes 0.05 s, in one call that no other thread can interrupt; four times as many
# fit into a MiB.
MOST_MARKS = 100_000
_MARKS = b",:[{"


class JsonRoute(APIRoute):
    """A route that refuses JSON of too many values before it is parsed."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap FastAPI's handler."""
        handler = super().get_route_handler()
        if self.body_field is None:
            return handler

        async def handle(request: Request) -> Response:
            check_json(await request.body())
            return await handler(request)

        return handle


def check_json(body: bytes, mend: str = "Declare fewer classes in one request.") -> None:
    """See that a document is quickly parsed; costs a millisecond a MiB.

    Args:
        body: The document, or what is left of it to be parsed.
        mend: What whoever sent it is to do about it.

    Raises:
        RequestTooLarge: It might not be.
    """
    if (marks := count_marks(body)) > MOST_MARKS:
        raise RequestTooLarge(
            f"The JSON has {marks} commas, colons and brackets; at most {MOST_MARKS} are accepted."
            f" {mend}"
        )


def count_marks(body: bytes | bytearray) -> int:
    """Commas, colons and brackets of a document, at least as many as it has values."""
    return sum(body.count(mark) for mark in _MARKS)
