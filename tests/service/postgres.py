"""PostgreSQL for tests: databases of their own on the tests' server, and a wire to be cut."""

from __future__ import annotations

import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Self

import psycopg

from tests.service.clusters import HOST, shared


def port() -> int:
    """Of the server; skips the test where there can be none."""
    return shared().port


def administrator(database: str = "postgres") -> psycopg.Connection:
    """A connection to the server; skips the test where there can be none."""
    return shared().administrator(database)


@contextmanager
def fresh_database(template: str | None = None) -> Iterator[str]:
    """The name of an empty database, or of a copy of another one."""
    name = f"handful_{uuid.uuid4().hex[:12]}"
    with administrator() as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template or 'template1'}")
    try:
        yield name
    finally:
        with administrator() as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def url(database: str, port: int | None = None) -> str:
    """Of a database, by another port than the server's if it is given."""
    port = shared().port if port is None else port
    return f"postgresql+psycopg://postgres@{HOST}:{port}/{database}"


class Wire:
    """A way to the server that can be cut and mended, as a network is.

    Args:
        server: Its port; that of the tests' server by default.
        host: Where it listens.

    Attributes:
        port: Where to connect instead of the server's.
    """

    def __init__(self, server: int | None = None, host: str = HOST) -> None:
        self._server = port() if server is None else server
        self._listening = socket.create_server((host, 0))
        self.port: int = self._listening.getsockname()[1]
        self._whole = True
        self._last: bytes | None = None
        self._unheard: socket.socket | None = None
        self._ends: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """End all connections, and refuse new ones."""
        self._whole = False
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._ends.clear()

    def cut_after(self, last: bytes) -> None:
        """Cut the connection that sends these bytes when the server has answered, unheard."""
        self._last = last

    def mend(self) -> None:
        self._whole = True

    def lead_to(self, server: int) -> None:
        """Lead to another server; connections that are made stay where they are."""
        self._server = server

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                if not self._whole:
                    client.close()
                    continue
                try:
                    server = socket.create_connection((HOST, self._server))
                except OSError:  # the server is down
                    client.close()
                    continue
                self._ends += [client, server]
                for ends in ((client, server), (server, client)):
                    threading.Thread(target=self._carry, args=ends, daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(2**16):
                if sink is self._unheard:  # the server is done
                    sink.shutdown(socket.SHUT_RDWR)
                    break
                if self._last is not None and self._last in data:
                    self._last, self._unheard = None, source
                sink.sendall(data)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)
