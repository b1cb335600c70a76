"""Calls: who asks, what they may, and problems as status codes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any, NoReturn
from urllib.parse import unquote

import grpc
from fastapi import FastAPI
from fastapi_problem.error import StatusProblem
from prometheus_client import Histogram

from service.access.principal import PEER_KEY, Principal, Scope, principal_of
from service.access.required_access import RequiredAccess
from service.api.access_control import AccessControl
from service.api.process_metrics import PROBLEMS
from service.composition import ServiceParts
from service.integrations.open_inference.required_access import required_access
from service.integrations.open_inference.rpc.receiving import Receiving
from service.name_validation import checked_classifier
from service.problems import InternalError, NotReady
from service.tenancy import qualified

logger = logging.getLogger("handful")

SECONDS = Histogram("handful_grpc_seconds", "Duration of calls over gRPC.", ["method", "code"])

# What credentials a call may bring; of others nothing is read.
_CREDENTIALS = frozenset(
    {
        "authorization",
        "x-api-key",
        "x-forwarded-user",
        "x-forwarded-tenant",
        "x-forwarded-scopes",
    }
)
_CODES = {
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    408: grpc.StatusCode.DEADLINE_EXCEEDED,
    409: grpc.StatusCode.FAILED_PRECONDITION,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    500: grpc.StatusCode.INTERNAL,
    503: grpc.StatusCode.UNAVAILABLE,
    504: grpc.StatusCode.DEADLINE_EXCEEDED,
    507: grpc.StatusCode.RESOURCE_EXHAUSTED,
}


@dataclass(slots=True)
class Call:
    """One call.

    Attributes:
        app: The application that it is answered beside.
        scope: What a request of HTTP would have for ASGI's scope: access control knows it by that.
        seconds: How long the client waits; None: as long as it takes.
    """

    app: FastAPI
    scope: dict[str, Any]
    seconds: float | None

    @property
    def parts(self) -> ServiceParts:
        """What answers.

        Raises:
            NotReady: Nothing does yet.
        """
        parts: ServiceParts | None = self.app.state.parts
        if parts is None:
            raise NotReady("The backbone is still loading. Try again in a few seconds.")
        return parts

    async def identify(self, needed: Scope) -> Principal | None:
        """See that it is from somebody who may do such, before its message is received.

        Args:
            needed: What a key needs, of whichever classifier it is for.

        Returns:
            Who that is; None: the service asks for no keys.

        Raises:
            KeyRequired, NotAllowed: It is from nobody who is known, or may.
            KeysUnavailable, NotReady: Nobody knows yet, or at the moment.
        """
        access: AccessControl | None = self.app.state.access
        if access is None:
            return None
        principal = (await access.holder(self.scope)).principal
        if needed not in principal.scopes:  # which is refused, and written down
            await access.admit(self.scope, RequiredAccess(needed))
        return principal

    async def admit(self, method: str, path: str) -> None:
        """Let it in as a request of HTTP for the same would be.

        Raises:
            NotAllowed, RateLimited: It is not let in.
        """
        self.scope |= {"method": method, "path": path}
        access: AccessControl | None = self.app.state.access
        required = required_access(method, path)
        if access is not None and required is not None:
            await access.admit(self.scope, required)

    async def classifier(self, name: str, method: str, action: str = "") -> str:
        """The qualified name of a classifier, once the call is let in to it.

        Raises:
            InvalidName: It can be none.
            NotAllowed, RateLimited: It is not let in.
        """
        checked = checked_classifier(name[:200])
        await self.admit(method, f"/v2/models/{checked}{action}")
        return qualified(principal_of(self.scope).tenant, checked)


Answer = Callable[[Call, bytes], Awaitable[Any]]


def handler(
    app: FastAPI, receiving: Receiving, name: str, answer: Answer, needed: Scope | None
) -> Any:
    """What handles the calls of a method.

    To gRPC the client sends a stream, of one message, so that the handler is there before it is
    received: strangers are refused first, and no more is received at a time than there is room for.

    Args:
        app: The application.
        receiving: Receives messages.
        name: Of the method.
        answer: Makes the answer of a message.
        needed: What a key needs; None: anybody may call it. Of such calls no message is received,
            so that nobody holds a place or memory whom the service does not know.
    """

    async def handle(messages: AsyncIterator[bytes], context: Any) -> bytes:
        begun, code = perf_counter(), grpc.StatusCode.OK
        call = Call(app, _scope(context), context.time_remaining())
        try:
            if needed is None:
                open_answer: bytes = (await answer(call, b"")).SerializeToString()
                return open_answer
            principal = await call.identify(needed)
            with app.state.in_flight.account(call.scope) as account:
                message = await receiving.received(messages, account, principal)
                answered: bytes = (await answer(call, message)).SerializeToString()
                return answered
        except asyncio.CancelledError:
            code = grpc.StatusCode.CANCELLED
            raise
        except StatusProblem as problem:
            code = _CODES.get(problem.status, grpc.StatusCode.INVALID_ARGUMENT)
            await _end(context, code, problem)
        except Exception as error:
            logger.error("gRPC %s failed", name, exc_info=error)
            code = grpc.StatusCode.INTERNAL
            await _end(context, code, InternalError())
        finally:
            SECONDS.labels(name, code.name).observe(perf_counter() - begun)

    return grpc.stream_unary_rpc_method_handler(handle)


async def _end(context: Any, code: grpc.StatusCode, problem: StatusProblem) -> NoReturn:
    """End a call with a problem: its detail, and in trailing metadata its type."""
    document = problem.marshal()
    PROBLEMS.labels(document["type"]).inc()
    headers = {name.lower(): value for name, value in (problem.headers or {}).items()}
    kept = [("retry-after", headers["retry-after"])] if "retry-after" in headers else []
    trailing = (("problem-type", document["type"]), *kept)
    await context.abort(code, document.get("detail") or document["title"], trailing)
    raise AssertionError("gRPC has ended the call")


def _scope(context: Any) -> dict[str, Any]:
    fields = [
        (name.encode("latin-1"), value.encode("latin-1", "replace"))
        for name, value in context.invocation_metadata() or ()
        if name in _CREDENTIALS and isinstance(value, str)
    ]
    return {
        "type": "http",
        "method": "POST",
        "path": "/v2",
        "headers": fields,
        PEER_KEY: _address(context.peer()),
    }


def _address(peer: str) -> str:
    """The address of ``ipv4:127.0.0.1:5000`` or ``ipv6:%5B::1%5D:5000``."""
    return unquote(peer).partition(":")[2].rpartition(":")[0].strip("[]")
