"""The client: a service by its URL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from types import TracebackType
from typing import Literal, Self

import httpx2

from handful_client._async.administration import AsyncAdministration
from handful_client._async.classifier import AsyncClassifier
from handful_client._async.embedding import AsyncEmbedder
from handful_client._async.jobs import AsyncJob
from handful_client._async.prompts import AsyncPrompts
from handful_client._async.transport import AsyncTransport
from handful_client.calls import Call, Query, json_call
from handful_client.models import (
    ClassifierList,
    ClassifierOut,
    Health,
    JobList,
    JobOut,
    Readiness,
    ReEmbeddingIn,
    ReEmbeddingOut,
)

# Classifiers of a page.
_PAGE = 200


class AsyncClient(AsyncAdministration, AsyncEmbedder, AsyncPrompts):
    """A service of Handful.

    Connections are kept and shared; threads and tasks may use one client together. Close it, or use
    it in a ``with`` block.

    Args:
        url: Of the service, such as ``http://localhost:8000``; with a path behind a proxy.
        key: API key, where the service asks for one. It is sent to this service alone, and never
            shown.
        timeout: Seconds that an answer, or a part of one, may take.
        patience: Seconds within which a call is tried again that was refused for now (429, 502,
            503) or whose connection broke. 0: never.
        connections: Open at a time at most; further calls wait for one.
        http: A client of httpx2 of your own, for proxies and certificates; you close it.

    Raises:
        ValueError: The URL or the key cannot be one.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        timeout: float = 60.0,
        patience: float = 60.0,
        connections: int = 16,
        http: httpx2.AsyncClient | None = None,
    ) -> None:
        self._transport = AsyncTransport(url, key, timeout, patience, connections, http)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._transport.url!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.close()

    def classifier(self, name: str) -> AsyncClassifier:
        """A classifier by its name, whether it is there or not; asks for nothing."""
        return AsyncClassifier(self._transport, name)

    async def classifiers(
        self,
        *,
        prefix: str = "",
        metadata: Mapping[str, str] | None = None,
        problem: bool | None = None,
        order: Literal["name", "created", "updated", "images"] = "name",
        descending: bool = False,
    ) -> AsyncIterator[ClassifierOut]:
        """All classifiers, page by page, or some of them.

        Args:
            prefix: Only those whose names begin so.
            metadata: Only those with all of it.
            problem: Only those that cannot answer, or with False that can.
            order: What they are ordered by.
            descending: Whether the greatest comes first.
        """
        asked: dict[str, str | int | float | bool | Sequence[str] | None] = {
            "limit": _PAGE,
            "prefix": prefix or None,
            "metadata": [f"{name}={value}" for name, value in (metadata or {}).items()],
            "problem": problem,
            "order": order,
            "descending": descending,
        }
        while True:
            call = Call("GET", ("v1", "classifiers"), asked)
            page = await self._transport.model(ClassifierList, call)
            for one in page.classifiers:
                yield one
            if (cursor := page.next_cursor) is None:
                return
            asked["cursor"] = cursor

    async def ready(self) -> Readiness:
        """Wait until the service can answer, within the client's patience.

        Raises:
            Unavailable: It is still starting.
        """
        return await self._transport.model(Readiness, Call("GET", ("readyz",)))

    async def health(self) -> Health:
        """Whether the process of the service lives."""
        return await self._transport.model(Health, Call("GET", ("healthz",)))

    async def metrics(self) -> str:
        """Metrics in the text format of Prometheus."""
        return (await self._transport.content(Call("GET", ("metrics",)))).decode()

    def job(self, id: str) -> AsyncJob:  # noqa: A002 - as the API has it
        """A job by its id; asks for nothing."""
        return AsyncJob(self._transport, id)

    async def jobs(
        self,
        *,
        classifier: str | None = None,
        state: Literal["queued", "running", "done", "failed", "cancelled"] | None = None,
    ) -> AsyncIterator[JobOut]:
        """Jobs, the newest first; of a classifier, or in a state."""
        cursor: str | None = None
        while True:
            query: Query = {
                "classifier": classifier,
                "state": state,
                "cursor": cursor,
                "limit": 100,
            }
            page = await self._transport.model(JobList, Call("GET", ("v1", "jobs"), query))
            for one in page.jobs:
                yield one
            if (cursor := page.next_cursor) is None:
                return

    async def re_embedding(self) -> ReEmbeddingOut:
        """Where a move of the database to another recipe of embeddings stands."""
        return await self._transport.model(ReEmbeddingOut, Call("GET", ("v1", "re-embedding")))

    async def begin_re_embedding(
        self,
        *,
        precision: Literal["float32", "bfloat16", "int8"] | None = None,
        resizing: Literal["pillow", "antialias"] | None = None,
    ) -> ReEmbeddingOut:
        """Move the database to another recipe of embeddings, while everything is answered.

        Args:
            precision: Number format of the products in the image tower.
            resizing: What resizes pictures before it.
        """
        recipe = ReEmbeddingIn(precision=precision, resizing=resizing)
        document = recipe.model_dump(mode="json", exclude_none=True)
        call = json_call("POST", ("v1", "re-embedding"), document)
        return await self._transport.model(ReEmbeddingOut, call)

    async def cancel_re_embedding(self) -> ReEmbeddingOut:
        """Go back to the recipe before."""
        return await self._transport.model(ReEmbeddingOut, Call("DELETE", ("v1", "re-embedding")))
