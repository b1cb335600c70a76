"""What all parts of a classifier's interface have: its name, and what sends calls."""

from __future__ import annotations

from handful_client._async.transport import AsyncTransport


class AsyncNamed:
    """A classifier by its name.

    Attributes:
        name: The classifier's.
    """

    def __init__(self, transport: AsyncTransport, name: str) -> None:
        self._transport = transport
        self.name = name

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._transport.url!r}, {self.name!r})"

    def _path(self, *segments: str) -> tuple[str, ...]:
        return ("v1", "classifiers", self.name, *segments)
