"""Texts of all processes, embedded by one thread: images keep the other cores."""

from __future__ import annotations

import json
import logging
import selectors
import socket
from collections.abc import Callable, Sequence
from threading import Lock, Thread

from torch import Tensor

from service.encoder_process.frames import Closed, Frame, Kind, receive, send

logger = logging.getLogger("handful")


class TextPasses:
    """Embeds what processes send, one request of each after the other.

    Args:
        encode: From n texts to (n, d) float32 rows.
    """

    def __init__(self, encode: Callable[[Sequence[str]], Tensor]) -> None:
        self._encode = encode
        self._lock = Lock()
        self._joining: list[socket.socket] = []
        self._closed = False
        self._selector = selectors.DefaultSelector()
        self._woken, self._wake = socket.socketpair()
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._thread = Thread(target=self._work, name="texts", daemon=True)
        self._thread.start()

    def join(self, connection: socket.socket) -> None:
        """Listen to a connection from now on."""
        with self._lock:
            self._joining.append(connection)
        self._wake.send(b"!")

    def close(self) -> None:
        """Stop the thread once its pass is done, and let all connections go."""
        self._closed = True
        self._wake.send(b"!")
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            if key.fileobj is not self._woken:
                self._forget(key.data)
        for connection in self._joining:
            connection.close()
        self._selector.close()
        self._woken.close()
        self._wake.close()

    def _work(self) -> None:
        while not self._closed:
            for key, _ in self._selector.select():
                if key.data is not None:
                    self._hear(key.data)
                    continue
                self._woken.recv(4096)
                with self._lock:
                    joining, self._joining = self._joining, []
                for connection in joining:
                    self._selector.register(connection, selectors.EVENT_READ, connection)

    def _hear(self, connection: socket.socket) -> None:
        try:
            frame = receive(connection)
            if frame.kind is not Kind.TEXTS:
                raise Closed(f"{frame.kind.name} at the wrong time")
            send(connection, self._answer(json.loads(frame.payload)))
        except (OSError, ValueError):
            self._forget(connection)

    def _answer(self, texts: list[str]) -> Frame:
        try:
            rows = self._encode(texts).float().contiguous()
        except Exception as error:
            logger.exception("texts were not embedded")
            return Frame(Kind.FAILED, payload=f"{type(error).__name__}: {error}".encode()[:4096])
        return Frame(Kind.ROWS, len(rows), payload=rows.numpy().tobytes())

    def _forget(self, connection: socket.socket) -> None:
        self._selector.unregister(connection)
        connection.close()
