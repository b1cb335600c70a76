"""PostgreSQL for tests, where there is one: a database of their own, and a wire to be cut."""

from __future__ import annotations

import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Self

import psycopg
import pytest

HOST, PORT = "127.0.0.1", 5432


def administrator(database: str = "postgres") -> psycopg.Connection:
    """A connection to the server; skips the test where there is none."""
    try:
        return psycopg.connect(
            f"host={HOST} port={PORT} user=postgres dbname={database} connect_timeout=3",
            autocommit=True,
        )
    except psycopg.OperationalError as error:
        pytest.skip(f"no PostgreSQL here: {error}")


@contextmanager
def fresh_database() -> Iterator[str]:
    """The name of an empty database."""
    name = f"handful_{uuid.uuid4().hex[:12]}"
    with administrator() as connection:
        connection.execute(f"CREATE DATABASE {name}")
    try:
        yield name
    finally:
        with administrator() as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def url(database: str, port: int = PORT) -> str:
    return f"postgresql+psycopg://postgres@{HOST}:{port}/{database}"


class Wire:
    """A way to the server that can be cut and mended, as a network is.

    Attributes:
        port: Where to connect instead of the server's.
    """

    def __init__(self) -> None:
        self._listening = socket.create_server((HOST, 0))
        self.port: int = self._listening.getsockname()[1]
        self._whole = True
        self._last: bytes | None = None
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
        """Cut the connection that sends these bytes once the server has them."""
        self._last = last

    def mend(self) -> None:
        self._whole = True

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
                server = socket.create_connection((HOST, PORT))
                self._ends += [client, server]
                for ends in ((client, server), (server, client)):
                    threading.Thread(target=self._carry, args=ends, daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(2**16):
                if self._last is not None and self._last in data:
                    self._last = None
                    source.shutdown(socket.SHUT_RDWR)
                    sink.sendall(data)
                    sink.recv(1)  # the server is done
                    break
                sink.sendall(data)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)
