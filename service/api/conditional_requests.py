"""FastAPI dependencies of conditional requests (RFC 9110, 13): of answers and of changes."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import Depends, Header, Request, Response
from pydantic import WithJsonSchema

from service.access.principal import principal_of
from service.api.dependencies import Name, ReadyParts
from service.api.entity_tags import EntityTags
from service.api.middleware.idempotency import SCOPE_KEY, KeyedRequest
from service.api.offloading import run_blocking
from service.api.openapi.schema_types import IDEMPOTENCY_KEY_SCHEMA, TAGS_SCHEMA
from service.api.preconditions import Preconditions
from service.composition import ServiceParts
from service.storage.history import HistoryActor
from service.storage.idempotency import IdempotencyKeys


class Unchanged:
    """A dependency of a GET: answers 304 where the client has the answer already.

    Raises:
        InvalidPrecondition: The header field cannot be read.
    """

    def __init__(
        self,
        if_none_match: Annotated[
            str | None,
            Header(
                description="The `ETag` of an answer that the client has: 304 without a body where"
                " it is still the answer.",
            ),
            WithJsonSchema(TAGS_SCHEMA),
        ] = None,
    ) -> None:
        self._tags = (
            None if if_none_match is None else EntityTags.of("If-None-Match", if_none_match)
        )

    def __call__(self, tag: str, *, digest: bool = False) -> Response | None:
        """The 304, or None where the answer is to be made.

        Args:
            tag: Of the answer.
            digest: Whether it ends with a digest of the bytes, which alone count then.
        """
        if self._tags is None:
            return None
        if not (self._tags.have_bytes_of(tag) if digest else self._tags.have(tag)):
            return None
        return Response(status_code=304, headers={"etag": tag})


async def _changing_parts(
    request: Request,
    name: Name,
    parts: ReadyParts,
    if_match: Annotated[
        str | None,
        Header(
            description="The `ETag` of an answer of the classifier: the change is made only if"
            " settings, classes and images are still as they were then. `*`: only if there is such"
            " a classifier.",
        ),
        WithJsonSchema(TAGS_SCHEMA),
    ] = None,
    if_none_match: Annotated[
        str | None,
        Header(
            description="`*`: the change is made only if there is no such classifier. An `ETag`:"
            " only if it is not in that state.",
        ),
        WithJsonSchema(TAGS_SCHEMA),
    ] = None,
    idempotency_key: Annotated[
        str | None,
        Header(
            description="A random string, such as a UUID, for this change: it is made once, and"
            " whoever sends the request again within a day, with the same key, gets the same answer"
            " (`Idempotent-Replayed: true`).",
        ),
        WithJsonSchema(IDEMPOTENCY_KEY_SCHEMA),
    ] = None,
) -> ServiceParts:
    keyed: KeyedRequest | None = request.scope.get(SCOPE_KEY)
    if keyed is not None and idempotency_key is not None:
        parts = parts.recording([await keyed.begin(IdempotencyKeys(parts.engine), request)])
    if (key_id := principal_of(request.scope).key_id) is not None:
        parts = parts.recording([HistoryActor(key_id)])
    preconditions = Preconditions.of(name, if_match, if_none_match)
    if preconditions is None:
        return parts
    state = await run_blocking(parts.store.state, name)
    preconditions.check(state)
    found = None if state is None else state.id
    return parts.recording([replace(preconditions, classifier_id=found)])


IsUnchanged = Annotated[Unchanged, Depends()]
ChangingParts = Annotated[ServiceParts, Depends(_changing_parts)]
"""The parts of the service, for a route that changes the classifier in its path."""
