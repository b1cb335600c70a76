"""What all parts of a classifier's interface have: its name, and what sends calls."""

from __future__ import annotations

from contextlib import suppress

from handful_client._async.transport import Answer, AsyncTransport
from handful_client.calls import JSON, Call
from handful_client.errors import NotFound, PreconditionFailed


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

    async def _created(self, model: type[Answer], call: Call) -> Answer:
        """The answer to a call, if need be of a classifier that is created for it."""
        try:
            return await self._transport.model(model, call)
        except NotFound as missing:
            if missing.type != "classifier-not-found":
                raise
        # Whoever else has created it meanwhile has chosen its settings.
        new = Call(
            "PUT", self._path(), headers={"if-none-match": "*"}, content=b"{}", media_type=JSON
        )
        with suppress(PreconditionFailed):
            await self._transport.content(new)
        return await self._transport.model(model, call)
