"""The guard against server-side request forgery, against a hostile server, resolver and URLs."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from service.fetching import FetchError
from service.fetching.addresses import is_public
from service.fetching.guarded import GuardedFetcher
from service.fetching.sources import Source
from tests.service.fetching.hostile import Answer, answering, sending, whole

PEM = Path(__file__).parents[1] / "files" / "images.example.com.pem"
MOST = 100_000
HOST = "images.example.com"
OK = b"HTTP/1.1 200 OK\r\n"


def to(*addresses: str) -> Callable[[str, int], Any]:
    """A resolver that says these of any name."""

    async def resolve(host: str, port: int) -> Sequence[str]:
        return addresses

    return resolve


def fetch(url: str, *sources: str, seconds: float = 5, **options: Any) -> bytes:
    """Fetch by a fetcher that may connect to this machine."""
    given: dict[str, Any] = {"resolve": to("127.0.0.1"), "may_connect": lambda _: True, **options}
    fetcher = GuardedFetcher([Source.read(one) for one in sources], MOST, **given)
    return asyncio.run(fetcher.fetch(url, seconds, lambda _: None))


def from_server(answer: Answer, seconds: float = 5, path: str = "/a.png") -> bytes:
    with answering(answer) as server:
        source = f"http://{HOST}:{server.port}"
        return fetch(f"{source}{path}", source, seconds=seconds)


def refused(told: str, answer: Answer, seconds: float = 5) -> None:
    with pytest.raises(FetchError, match=told):
        from_server(answer, seconds)


def test_an_image_is_fetched_by_one_plain_request() -> None:
    with answering(whole(b"an image", "200 OK", "Set-Cookie: a=b")) as server:
        source = f"http://{HOST}:{server.port}"
        assert fetch(f"{source}/a%20b/c.png?d=e#f", source) == b"an image"
    [head] = server.heads
    lines = head.decode().split("\r\n")
    assert lines[0] == "GET /a%20b/c.png?d=e HTTP/1.1"
    fields = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
    assert fields == {
        "host": f"{HOST}:{server.port}",
        "accept": "image/*",
        "accept-encoding": "identity",
        "user-agent": "handful",
        "connection": "close",
    }


def test_bytes_are_told_as_they_come() -> None:
    pieces = b"".join(b"%x\r\n%s\r\n" % (1000, b"x" * 1000) for _ in range(5))
    told: list[int] = []
    answer = sending(OK + b"Transfer-Encoding: chunked\r\n\r\n", pieces, b"0\r\n\r\n")
    with answering(answer) as server:
        source = Source("http", HOST, server.port)
        fetcher = GuardedFetcher([source], MOST, resolve=to("127.0.0.1"), may_connect=bool)
        url = f"http://{HOST}:{server.port}/"
        assert asyncio.run(fetcher.fetch(url, 5, told.append)) == b"x" * 5000
    assert sum(told) == 5000


URLS = {
    "another host": "https://elsewhere.example.com/a.png",
    "a host above": "https://example.com/a.png",
    "a host below": "https://a.images.example.com/a.png",
    "a dot behind": "https://images.example.com./a.png",
    "http": "http://images.example.com/a.png",
    "another port": "https://images.example.com:8443/a.png",
    "port of http": "https://images.example.com:80/a.png",
    "no scheme": "//images.example.com/a.png",
    "a path": "/a.png",
    "file": "file:///etc/passwd",
    "file of a host": "file://images.example.com/etc/passwd",
    "gopher": "gopher://images.example.com/",
    "data": "data:image/png;base64,AAAA",
    "a user": "https://user@images.example.com/a.png",
    "a password": "https://user:password@images.example.com/a.png",
    "a host as a user": "https://images.example.com@127.0.0.1/a.png",
    "a backslash": "https://images.example.com\\@127.0.0.1/a.png",
    "a coded at": "https://images.example.com%40127.0.0.1/a.png",
    "a port that is none": "https://images.example.com:99999/a.png",
    "a line break": "https://images.example.com/a\r\nHost: x",
    "a tab": "https://images.exam\tple.com/a.png",
    "NUL": "https://images.example.com/\0",
    "an address": "https://127.0.0.1/a.png",
    "an address of IPv6": "https://[::1]/a.png",
    "an address as a number": "https://2130706433/a.png",
    "half an address": "https://[::1/a.png",
    "nothing": "",
    "no host": "https:///a.png",
    "a full stop of another script": "https://images。example。com.evil.com/a.png",
}


@pytest.mark.parametrize("case", URLS)
def test_urls_of_others_are_refused_before_anything_is_looked_up(case: str) -> None:
    async def looked_up(host: str, port: int) -> Sequence[str]:
        raise AssertionError(host)

    with pytest.raises(FetchError):
        fetch(URLS[case], HOST, resolve=looked_up)


def test_no_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert from_server(whole(b"direct")) == b"direct"


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["169.254.169.254"],
        ["::ffff:127.0.0.1"],
        ["64:ff9b::7f00:1"],
        ["93.184.216.34", "127.0.0.1"],
        ["127.0.0.1", "93.184.216.34"],
        ["fe80::1%lo"],
        [],
    ],
)
def test_a_name_of_an_address_that_is_not_public_is_not_connected_to(addresses: list[str]) -> None:
    with answering(whole(b"internal")) as server:
        source = f"http://{HOST}:{server.port}"
        with pytest.raises(FetchError, match="not public"):
            fetch(f"{source}/", source, resolve=to(*addresses), may_connect=is_public)
    assert server.heads == []


def test_localhost_is_not_fetched_from_even_if_it_is_allowed() -> None:
    """By the resolver of the system, and by all that the service itself would use."""
    with answering(whole(b"internal")) as server:
        source = Source("http", "localhost", server.port)
        fetcher = GuardedFetcher([source], MOST)
        with pytest.raises(FetchError, match="not public"):
            asyncio.run(fetcher.fetch(f"http://localhost:{server.port}/", 5, lambda _: None))
    assert server.heads == []


def test_a_name_that_is_rebound_is_looked_up_once() -> None:
    """The first look shows an address that may be asked, each later one this machine's own."""
    looks: list[str] = []

    async def rebinding(host: str, port: int) -> Sequence[str]:
        looks.append(host)
        return ["127.0.0.2"] if len(looks) == 1 else ["127.0.0.1"]

    with (
        answering(whole(b"public"), "127.0.0.2") as public,
        answering(whole(b"internal"), "127.0.0.1", port=public.port) as internal,
    ):
        source = f"http://{HOST}:{public.port}"
        found = fetch(
            f"{source}/", source, resolve=rebinding, may_connect=lambda one: one == "127.0.0.2"
        )
    assert found == b"public"
    assert looks == [HOST]
    assert len(public.heads) == 1
    assert internal.heads == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(status: int) -> None:
    with answering(whole(b"internal")) as internal:
        where = f"Location: http://127.0.0.1:{internal.port}/"
        refused(f"redirect .{status}.", whole(b"", f"{status} Moved", where))
        refused(f"redirect .{status}.", whole(b"x" * 5000, f"{status} Moved", where))
    assert internal.heads == []


@pytest.mark.parametrize("status", ["201 Created", "204 No", "206 Part", "404 Not Found", "500 X"])
def test_other_answers_are_refused(status: str) -> None:
    refused(f"status {status[:3]}", whole(b"", status))


def dripping(connection: socket.socket) -> None:
    connection.sendall(OK + b"Content-Length: 1000\r\n\r\n")
    for _ in range(1000):
        connection.sendall(b"x")
        time.sleep(0.05)


def endless(piece: bytes) -> Answer:
    def answer(connection: socket.socket) -> None:
        connection.sendall(OK + b"Transfer-Encoding: chunked\r\n\r\n")
        with contextlib.suppress(OSError):
            while True:
                connection.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))

    return answer


def silent(connection: socket.socket) -> None:
    time.sleep(3)


def slow_head(connection: socket.socket) -> None:
    connection.sendall(OK)
    for i in range(100):
        connection.sendall(b"X-%d: y\r\n" % i)
        time.sleep(0.05)


def continuing(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            connection.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\n")


@pytest.mark.parametrize("answer", [dripping, silent, slow_head, continuing, endless(b"x")])
def test_time_is_limited_as_a_whole(answer: Answer) -> None:
    began = time.monotonic()
    refused("within 0.5 s|more than", answer, seconds=0.5)
    assert time.monotonic() - began < 2.5


TOO_LARGE = {
    "declared": sending(OK + b"Content-Length: 100001\r\n\r\n"),
    "declared as huge": sending(OK + b"Content-Length: %s\r\n\r\n" % (b"9" * 18)),
    "endless": endless(b"x" * 4096),
    "until the end": sending(OK + b"\r\n", b"x" * (MOST + 1)),
}


@pytest.mark.parametrize("case", TOO_LARGE)
def test_bytes_are_limited(case: str) -> None:
    refused("more than 100000 bytes", TOO_LARGE[case])


BROKEN = {
    "cut short": sending(OK + b"Content-Length: 1000\r\n\r\nabc"),
    "cut in a chunk": sending(OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab"),
    "no length": sending(OK + b"Content-Length: x\r\n\r\nabc"),
    "a negative length": sending(OK + b"Content-Length: -1\r\n\r\nabc"),
    "two lengths": sending(OK + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"),
    "no HTTP": sending(b"SSH-2.0-OpenSSH_9.0\r\n"),
    "nothing": sending(),
    "a head without end": sending(OK + b"X: " + b"y" * 2_000_000),
    "a status of letters": sending(b"HTTP/1.1 OK 200\r\n\r\n"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_no_answer_is_refused(case: str) -> None:
    refused("breaks the answer off", BROKEN[case])


def test_what_follows_an_answer_is_not_read() -> None:
    smuggled = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
    assert from_server(sending(OK + b"Content-Length: 4\r\n\r\ngood" + smuggled)) == b"good"


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate, gzip", "GZIP"])
def test_no_coding_is_undone(coding: str) -> None:
    bomb = gzip.compress(bytes(50_000_000))
    assert len(bomb) < MOST
    refused("coded body", whole(bomb, "200 OK", f"Content-Encoding: {coding}"))


def test_a_host_that_does_not_answer_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    source = f"http://{HOST}:{port}"
    with pytest.raises(FetchError, match="cannot be connected to"):
        fetch(f"{source}/", source)

    async def unknown(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror

    with pytest.raises(FetchError, match="no address"):
        fetch(f"https://{HOST}/", HOST, resolve=unknown)

    async def slow(host: str, port: int) -> Sequence[str]:
        await asyncio.sleep(5)
        return ["127.0.0.1"]

    with pytest.raises(FetchError, match=r"within 0\.1 s"):
        fetch(f"https://{HOST}/", HOST, resolve=slow, seconds=0.1)


def test_tls_is_checked_against_the_name_and_not_the_address() -> None:
    own = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    own.load_cert_chain(PEM)
    trusting = ssl.create_default_context(cafile=str(PEM))
    with answering(whole(b"by TLS"), tls=own) as server:
        source = f"https://{HOST}:{server.port}"
        assert fetch(f"{source}/", source, certificates=trusting) == b"by TLS"
        assert server.names == [HOST]
        other = f"https://other.example.com:{server.port}"
        for url, certificates in ((source, None), (other, trusting)):
            with pytest.raises(FetchError, match="cannot be connected to"):
                fetch(f"{url}/", url, certificates=certificates)
    assert len(server.heads) == 1


def test_many_at_once_are_received_by_a_few_threads() -> None:
    seen: list[int] = []

    def answer(connection: socket.socket) -> None:
        seen.append(sum(one.name.startswith("AnyIO worker") for one in threading.enumerate()))
        time.sleep(0.02)
        whole(b"an image")(connection)

    with answering(answer) as server:
        source = Source("http", HOST, server.port)
        fetcher = GuardedFetcher([source], MOST, resolve=to("127.0.0.1"), may_connect=bool)

        async def all_of_them() -> list[bytes]:
            url = f"http://{HOST}:{server.port}/"
            return await asyncio.gather(*(fetcher.fetch(url, 5, seen.append) for _ in range(20)))

        assert asyncio.run(all_of_them()) == [b"an image"] * 20
    assert max(seen) <= 8
