"""Clients that speak HTTP badly, slowly or not at all, on bare sockets."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPResponse
from typing import Self
from urllib.parse import urlsplit

from tests.service.client import Json

PATIENCE = 60.0


def head(method: str, path: str, **fields: object) -> bytes:
    """A request line with header fields, ``content_length=3`` for ``content-length: 3``."""
    named = {"host": "localhost"} | {k.replace("_", "-"): v for k, v in fields.items()}
    lines = [f"{method} {path} HTTP/1.1", *(f"{k}: {v}" for k, v in named.items()), "", ""]
    return "\r\n".join(lines).encode()


HEALTHZ = head("GET", "/healthz")


@dataclass(frozen=True)
class Answers:
    """What a server said on one connection until it closed it.

    Attributes:
        seconds: Until it did.
    """

    told: bytes
    seconds: float

    @property
    def statuses(self) -> list[int]:
        return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) [A-Z]", self.told)]

    def problem(self, status: int, kind: str, *told: str) -> Json:
        """The one problem document that was the answer."""
        assert self.statuses == [status], self.told
        fields, _, body = self.told.partition(b"\r\n\r\n")
        assert b"application/problem+json" in fields
        assert b"connection: close" in fields
        document: Json = json.loads(body)
        assert document["type"] == kind, document
        for words in told:
            assert words in document["detail"], document
        return document


class Bare:
    """One connection."""

    def __init__(self, url: str, receive_buffer: int | None = None) -> None:
        address = urlsplit(url)
        assert address.hostname
        self._socket = socket.socket()
        if receive_buffer is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._socket.settimeout(PATIENCE)
        self._socket.connect((address.hostname, address.port or 80))
        self._opened = time.monotonic()

    def send(self, *pieces: bytes) -> Self:
        with suppress(ConnectionError):  # refused meanwhile; what was said can be read
            for piece in pieces:
                self._socket.sendall(piece)
        return self

    def trickle(self, pieces: Iterable[bytes], pause: float) -> Self:
        """Send slowly, until all is sent or the other side has something to say."""
        self._socket.settimeout(pause)
        for piece in pieces:
            self.send(piece)
            try:
                self._socket.recv(1, socket.MSG_PEEK)
                break
            except TimeoutError:
                pass
        self._socket.settimeout(PATIENCE)
        return self

    def answer(self) -> int:
        """The status of the next answer, which is read to its end."""
        response = HTTPResponse(self._socket)
        response.begin()
        response.read()
        return response.status

    def closed(self) -> bool:
        """Whether the other side has closed it; does not wait."""
        self._socket.setblocking(False)
        try:
            return self._socket.recv(1) == b""
        except BlockingIOError:
            return False
        except ConnectionError:
            return True
        finally:
            self._socket.settimeout(PATIENCE)

    def answers(self) -> Answers:
        """All that comes until the other side closes the connection."""
        told = b""
        with self._socket, suppress(ConnectionError):
            while more := self._socket.recv(1 << 20):
                told += more
        return Answers(told, time.monotonic() - self._opened)

    def close(self) -> None:
        self._socket.close()
