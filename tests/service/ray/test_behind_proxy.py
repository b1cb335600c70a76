"""What an application has behind Ray's proxies that its own connections would give it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.ending import ENDING
from service.problems import RequestTimeout
from service.ray.behind_proxy import BehindProxy
from service.ray.fitting_settings import SettingsError, check_settings
from service.settings import Settings

LIMITS = Settings(stall_seconds=0.2, min_bytes_per_second=1000)


HEAD: dict[str, Any] = {
    "type": "http",
    "state": {"proxy": 1},
    "http_version": "1.1",
    "raw_path": b"/v1/classifiers",
    "query_string": b"",
    "headers": [(b"host", b"localhost")],
}


def asked(app: ASGIApp, *messages: Message | float, head: dict[str, Any] = HEAD) -> list[Message]:
    """What is sent to a request whose messages come after one another, or after some seconds."""

    async def run() -> list[Message]:
        coming, sent = iter(messages), list[Message]()

        async def receive() -> Message:
            message = next(coming, 60.0)
            while isinstance(message, float):
                await asyncio.sleep(message)
                message = next(coming, 60.0)
            return message

        async def send(message: Message) -> None:
            sent.append(message)

        around = BehindProxy(app, LIMITS)
        await around({"type": "lifespan"}, receive, send)
        await around(dict(head), receive, send)
        return sent

    return asyncio.run(run())


def application(serve: Callable[[Scope, Receive], Awaitable[Any]], seen: list[Any]) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            scope["state"][ENDING] = "the event"
            return
        try:
            seen.append(await serve(scope, receive))
        except RequestTimeout as refusal:
            seen.append(refusal)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]})

    return app


def body(content: bytes, *, more: bool) -> Message:
    return {"type": "http.request", "body": content, "more_body": more}


async def read(_: Scope, receive: Receive) -> bytes:
    whole = b""
    while True:
        message = await receive()
        whole += message["body"]
        if not message["more_body"]:
            return whole


def test_state_of_the_lifespan_and_header_fields() -> None:
    seen: list[Any] = []

    async def state(scope: Scope, _: Receive) -> Any:
        return scope["state"]

    [start] = asked(application(state, seen))
    assert seen == [{ENDING: "the event"}]
    assert dict(start["headers"]) == {
        b"a": b"b",
        b"cross-origin-resource-policy": b"same-origin",
        b"x-content-type-options": b"nosniff",
        b"referrer-policy": b"no-referrer",
    }


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"headers": []}, 400),
        ({"headers": [(b"host", b"a"), (b"host", b"b")]}, 400),
        ({"headers": [*HEAD["headers"], (b"a", b"b" * 2**16)]}, 431),
        ({"raw_path": b"/" * 2**17}, 431),
        ({"headers": [*HEAD["headers"], *[(b"a", b"b")] * 128]}, 431),
        ({"headers": [], "http_version": "1.0"}, 200),
    ],
    ids=["no host", "two hosts", "large field", "large path", "many fields", "HTTP/1.0"],
)
def test_heads_that_are_refused(changed: dict[str, Any], status: int) -> None:
    async def nothing(_: Scope, __: Receive) -> None: ...

    start, *_ = asked(application(nothing, []), head=HEAD | changed)
    assert start["status"] == status


def test_no_connection_is_upgraded() -> None:
    assert asked(application(read, []), head={"type": "websocket"}) == [{"type": "websocket.close"}]


@pytest.mark.parametrize(
    "messages",
    [
        [body(b"half", more=True), 60.0],
        [body(b"a", more=True), *[0.1, body(b"a", more=True)] * 5],
    ],
    ids=["stands still", "comes too slowly"],
)
def test_a_slow_body_ends(messages: list[Message | float]) -> None:
    seen: list[Any] = []
    asked(application(read, seen), *messages)
    assert isinstance(seen[0], RequestTimeout)


def test_a_body_that_comes_is_read() -> None:
    seen: list[Any] = []
    asked(application(read, seen), body(b"a" * 900, more=True), 0.1, body(b"b", more=False))
    assert seen == [b"a" * 900 + b"b"]


def test_nobody_waits_for_a_client_that_has_sent_all() -> None:
    seen: list[Any] = []

    async def wait(scope: Scope, receive: Receive) -> Any:
        await read(scope, receive)
        return await receive()  # as whoever watches for the end of the client

    gone = {"type": "http.disconnect"}
    asked(application(wait, seen), body(b"", more=False), 0.5, gone)
    assert seen == [gone]


def test_settings_that_replicas_cannot_keep() -> None:
    check_settings(Settings(), replicas=1)
    server = "postgresql+psycopg://user:secret@host/database"
    check_settings(Settings(database_url=server), replicas=2)
    with pytest.raises(SettingsError, match="2 ingress replicas need PostgreSQL"):
        check_settings(Settings(), replicas=2)
    with pytest.raises(SettingsError, match="HANDFUL_AUTH=keys"):
        check_settings(
            Settings(database_url=server, auth="proxy", trusted_proxies="10.0.0.1"), replicas=1
        )
    with pytest.raises(SettingsError, match="leave HANDFUL_GRPC_PORT out"):
        check_settings(Settings(integrations="open-inference", grpc_port=8001), replicas=1)
