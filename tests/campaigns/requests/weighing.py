"""Weighing: a service gives back what its allocator keeps for later before its memory is measured.

Free memory of many threads differs by tens of MiB from one moment to the next, whatever is sent.
"""

from __future__ import annotations

import ctypes
import gc
import socket
import threading
from collections.abc import Callable


def gives_back(place: str, planted: Callable[[], None] | None = None) -> None:
    """In the process of a service, before it starts: have it give memory back when it is told to.

    Args:
        place: Address of the socket by which it is told, in no folder (``\\0...``).
        planted: A bug, to be planted as well.
    """
    if planted is not None:
        planted()
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(place)
    listening.listen()
    allocator = ctypes.CDLL(None)

    def give_back() -> None:
        while True:
            connection, _ = listening.accept()
            with connection:
                gc.collect()
                allocator.malloc_trim(0)
                connection.sendall(b"done")

    threading.Thread(target=give_back, daemon=True).start()


def give_back(place: str) -> None:
    """Tell the service to, and wait until it has."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(60)
        connection.connect(place)
        connection.recv(4)
