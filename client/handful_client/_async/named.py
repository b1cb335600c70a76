"""What all parts of a classifier's interface have: its name, and what sends calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Self

from handful_client._async.transport import Answer, AsyncTransport
from handful_client.calls import JSON, Call
from handful_client.errors import NotFound, PreconditionFailed


class AsyncNamed:
    """A classifier by its name.

    Attributes:
        name: The classifier's.
    """

    def __init__(
        self, transport: AsyncTransport, name: str, conditions: Mapping[str, str] | None = None
    ) -> None:
        self._transport = transport
        self.name = name
        self._conditions = dict(conditions or {})

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._transport.url!r}, {self.name!r})"

    async def tag(self) -> str:
        """The ETag of settings, classes and images as they are now, for :meth:`if_match`."""
        return await self._transport.tag(Call("GET", self._path()))

    def if_match(self, tag: str) -> Self:
        """The same classifier, which is changed only if it is as it was when it had that tag.

        Otherwise changes raise :class:`handful_client.PreconditionFailed`. ``*``: only if there is
        such a classifier.
        """
        return type(self)(self._transport, self.name, {"if-match": tag})

    def if_absent(self) -> Self:
        """The same classifier, which is changed only if it is not there: created, that is."""
        return type(self)(self._transport, self.name, {"if-none-match": "*"})

    def _path(self, *segments: str) -> tuple[str, ...]:
        return ("v1", "classifiers", self.name, *segments)

    def _changing(self, call: Call) -> Call:
        """A call that changes the classifier, under the conditions that it has."""
        if not self._conditions:
            return call
        return replace(call, headers={**call.headers, **self._conditions}, same=False)

    async def _created(self, model: type[Answer], call: Call) -> Answer:
        """The answer to a change, if need be of a classifier that is created for it."""
        try:
            return await self._transport.model(model, self._changing(call))
        except NotFound as missing:
            if missing.type != "classifier-not-found" or "if-match" in self._conditions:
                raise
        new = Call(
            "PUT", self._path(), headers={"if-none-match": "*"}, content=b"{}", media_type=JSON
        )
        try:
            await self._transport.content(new)
        except PreconditionFailed:
            if self._conditions:
                raise
            # Whoever else has created it meanwhile has chosen its settings.
        return await self._transport.model(model, call)
