"""A server on a socket that answers whatever a test wants it to."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

Answer = Callable[[socket.socket], None]


@dataclass
class Hostile:
    """The server.

    Attributes:
        port: Where it listens.
        heads: Of the requests that came.
        names: That TLS clients asked for.
    """

    port: int
    heads: list[bytes] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)


@contextlib.contextmanager
def answering(
    answer: Answer, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None, port: int = 0
) -> Iterator[Hostile]:
    """A server that hands each connection over when its head has come."""
    listener = socket.create_server((host, port))
    found = Hostile(listener.getsockname()[1])
    if tls is not None:
        tls.sni_callback = lambda _, name, __: found.names.append(name)

    def serve(connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            connection.settimeout(10)
            if tls is not None:
                connection = tls.wrap_socket(connection, server_side=True)
            head = b""
            while b"\r\n\r\n" not in head and (piece := connection.recv(65536)):
                head += piece
            found.heads.append(head)
            answer(connection)
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_WR)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield found
    finally:
        listener.close()


def sending(*pieces: bytes) -> Answer:
    """Sends these, one after the other."""

    def answer(connection: socket.socket) -> None:
        for piece in pieces:
            connection.sendall(piece)

    return answer


def whole(body: bytes, status: str = "200 OK", *fields: str) -> Answer:
    """An answer as it should be."""
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *fields, "", ""]
    return sending("\r\n".join(head).encode() + body)
