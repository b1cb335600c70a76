"""Bugs to be planted in a service, each of which the campaign has to find.

A function is run in the process of a service before it starts, and changes one thing.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from service.integrations.label_studio import routes as label_studio
from service.serving.http_connection import HttpConnection


def not_json() -> None:
    """A webhook whose body is no JSON is a defect of the service."""

    def read(body: bytes) -> Any:
        return json.loads(body)

    setattr(label_studio, "_read", read)  # noqa: B010


def leak() -> None:
    """Each request leaves something behind in memory."""
    kept: list[bytes] = []
    complete = HttpConnection.on_message_complete

    def leaking(self: HttpConnection) -> None:
        kept.append(os.urandom(2**16))
        complete(self)

    setattr(HttpConnection, "on_message_complete", leaking)  # noqa: B010


def slow() -> None:
    """A request with a certain field holds everybody else up."""
    complete = HttpConnection.on_headers_complete

    def waiting(self: HttpConnection) -> None:
        if any(name == b"forwarded" for name, _ in self.headers):
            time.sleep(1.5)
        complete(self)

    setattr(HttpConnection, "on_headers_complete", waiting)  # noqa: B010


def silent() -> None:
    """A method that is not known is never answered."""
    complete = HttpConnection.on_headers_complete

    def silent_to_some(self: HttpConnection) -> None:
        if self.parser.get_method() == b"PROPFIND":
            self.transport.abort()
        else:
            complete(self)

    setattr(HttpConnection, "on_headers_complete", silent_to_some)  # noqa: B010


PLANTED: Mapping[str, Callable[[], None]] = {
    "not-json": not_json,
    "leak": leak,
    "slow": slow,
    "silent": silent,
}
"""By the name that ``--planted`` takes."""
