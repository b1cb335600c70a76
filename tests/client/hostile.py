"""A server that answers as it is told to: with these bytes, and then it hangs up."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

OK = b'{"status": "ready"}'


def answer(status: int, content: bytes = b"", *fields: str, length: int | None = None) -> bytes:
    """An HTTP answer, which may promise another length than it has."""
    lines = (
        f"HTTP/1.1 {status} X",
        f"content-length: {len(content) if length is None else length}",
        "connection: close",
        *fields,
    )
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


def problem(status: int, kind: str, *fields: str) -> bytes:
    """A problem document as an answer."""
    document = f'{{"type": "{kind}", "title": "So it is", "status": {status}, "detail": "Do so."}}'
    return answer(status, document.encode(), "content-type: application/problem+json", *fields)


@dataclass
class Received:
    """A request."""

    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Hostile:
    """The server.

    Attributes:
        url: Where it is.
        answers: What is answered, one after the other; nothing: it hangs up without an answer.
        received: The requests.
    """

    url: str
    answers: list[bytes]
    received: list[Received] = field(default_factory=list)
    silent: threading.Event = field(default_factory=threading.Event)

    def serve(self, listening: socket.socket) -> None:
        while True:
            with suppress(ConnectionError):
                try:
                    connection = listening.accept()[0]
                except OSError:
                    return
                with connection, connection.makefile("rb") as stream:
                    line = stream.readline().decode().strip()
                    headers = {}
                    while head := stream.readline().strip():
                        name, _, value = head.decode().partition(":")
                        headers[name.lower()] = value.strip()
                    body = stream.read(int(headers.get("content-length", 0)))
                    self.received.append(Received(line, headers, body))
                    if not self.answers:
                        self.silent.wait(10)
                    else:
                        connection.sendall(self.answers.pop(0))


@contextmanager
def hostile(*answers: bytes) -> Iterator[Hostile]:
    """A server with these answers; after the last one it says nothing any more."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        made = Hostile(f"http://127.0.0.1:{listening.getsockname()[1]}", list(answers))
        thread = threading.Thread(target=made.serve, args=[listening], daemon=True)
        thread.start()
        try:
            yield made
        finally:
            made.silent.set()
            listening.shutdown(socket.SHUT_RDWR)
    thread.join(10)
