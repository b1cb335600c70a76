"""Requests with an ``Idempotency-Key``, for routes that change no classifier themselves."""

from __future__ import annotations

from typing import Annotated

from fastapi import Header, Request
from pydantic import WithJsonSchema

from service.api.middleware.idempotency import SCOPE_KEY, KeyedRequest
from service.api.openapi.schema_types import IDEMPOTENCY_KEY_SCHEMA
from service.composition import ServiceParts
from service.storage.idempotency import IdempotencyKeys, RequestMark

IdempotencyKey = Annotated[
    str | None,
    Header(
        description="A random string, such as a UUID, for this request: what it makes is made once,"
        " however often it is sent within a day."
    ),
    WithJsonSchema(IDEMPOTENCY_KEY_SCHEMA),
]
"""Documents the header field; :func:`request_mark` reads it."""


async def request_mark(request: Request, parts: ServiceParts) -> RequestMark | None:
    """What marks a request as carried out, in the transaction that does so; None: it has no key.

    Raises as :meth:`service.api.middleware.idempotency.KeyedRequest.begin`.
    """
    keyed: KeyedRequest | None = request.scope.get(SCOPE_KEY)
    if keyed is None:
        return None
    return keyed.mark or await keyed.begin(IdempotencyKeys(parts.engine), request)
