"""Refusals of a connection: the problems that end one, and their bytes on the wire (RFC 9457)."""

from __future__ import annotations

import json
from collections.abc import Iterable

from fastapi_problem.error import StatusProblem
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from service.problems import (
    MalformedRequest,
    Overloaded,
    RequestHeadTooLarge,
    RequestTimeout,
    ShuttingDown,
)
from service.serving.connections import ConnectionLimits


def too_many_connections(limits: ConnectionLimits) -> Overloaded:
    """All connections wait for answers."""
    return Overloaded(
        f"{limits.connections} connections wait for answers, and no more are "
        "taken (HANDFUL_MAX_CONNECTIONS). Send the request again in 1 s.",
        headers={"retry-after": "1"},
    )


def too_many_pipelined() -> Overloaded:
    """Too many requests wait for the answers to those before."""
    return Overloaded("Too many requests are sent without awaiting answers.")


def head_too_large(limits: ConnectionLimits) -> RequestHeadTooLarge:
    """Too many bytes of a head."""
    return RequestHeadTooLarge(
        "The request line and its header fields have more than "
        f"{limits.head_bytes} bytes (HANDFUL_MAX_HEAD_BYTES)."
    )


def framing_too_large(limits: ConnectionLimits) -> RequestHeadTooLarge:
    """Too many bytes of what frames a body, and none of the body."""
    return RequestHeadTooLarge(
        "Chunk extensions or trailer fields have more than "
        f"{limits.head_bytes} bytes. Send the body without them."
    )


def too_many_fields(fields: int, most: int) -> RequestHeadTooLarge:
    """Too many header fields."""
    return RequestHeadTooLarge(
        f"The request has {fields} header fields; at most {most} are accepted."
    )


def no_http(said: str) -> MalformedRequest:
    """The parser gave up."""
    return MalformedRequest(f"What was sent is not an HTTP/1.1 request: {said}.")


def not_one_host(hosts: int) -> MalformedRequest:
    """None, or several: whoever is on the way may take another one than we do (RFC 9112, 3.2)."""
    return MalformedRequest(f"The request has {hosts} Host header fields; HTTP/1.1 has one.")


def other_codings() -> MalformedRequest:
    """What the parser takes for chunks, and whoever is on the way perhaps not (RFC 9112, 6.1)."""
    return MalformedRequest(
        "Transfer-Encoding of an HTTP/1.1 request may be chunked here, once, and nothing else. Say"
        " by Content-Encoding that a body is compressed."
    )


def slow_head(limits: ConnectionLimits) -> RequestTimeout:
    """The head took too long."""
    return RequestTimeout(
        "The request line and its header fields took more than "
        f"{limits.head_seconds:g} s (HANDFUL_HEAD_SECONDS)."
    )


def slow_body(limits: ConnectionLimits) -> RequestTimeout:
    """The body stood still, or came below the minimum rate."""
    return RequestTimeout(
        f"The body stood still for {limits.stall_seconds:g} s, or came with "
        f"less than {limits.rate:g} bytes a second (HANDFUL_STALL_SECONDS, "
        "HANDFUL_MIN_BYTES_PER_SECOND). Nothing was changed. Send it again."
    )


def shutting_down() -> ShuttingDown:
    """The request could not be finished before the end."""
    return ShuttingDown(
        "The service is shutting down and could not finish this request in time. Send"
        " it again, to another instance or in a few seconds.",
        headers={"retry-after": "5"},
    )


def response_bytes(problem: StatusProblem, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The whole response of a problem, which closes the connection.

    Args:
        problem: What is answered.
        headers: Those of every response.
    """
    body = json.dumps(problem.marshal()).encode()
    fields = [
        *headers,
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
        *((name.encode(), value.encode()) for name, value in (problem.headers or {}).items()),
    ]
    head = b"".join(name + b": " + value + b"\r\n" for name, value in fields)
    return STATUS_LINE[problem.status] + head + b"\r\n" + body
