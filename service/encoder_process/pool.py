"""A pool of connections to encoder processes: whoever encodes takes one, and gives it back."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Condition

from service.encoder_process.connection import Connection
from service.problems import EncoderAway


class ConnectionPool:
    """Connections that are free, to any of the encoder processes; these take turns.

    Who finds none free waits, which is the backpressure of the slots. Who finds that there are none
    is refused at once.
    """

    def __init__(self) -> None:
        self._changed = Condition()
        self._free: deque[Connection] = deque()
        self._all: set[Connection] = set()

    def add(self, connections: Iterable[Connection]) -> None:
        """Put new ones in."""
        with self._changed:
            for connection in connections:
                self._all.add(connection)
                self._free.append(connection)
            self._changed.notify_all()

    def drop(self, connections: Iterable[Connection]) -> None:
        """Take out those whose encoder process is gone; ends them."""
        connections = set(connections)
        with self._changed:
            self._all -= connections
            self._free = deque(each for each in self._free if each not in connections)
            self._changed.notify_all()
        for connection in connections:
            connection.close()

    @contextmanager
    def taken(self) -> Iterator[Connection]:
        """A connection for as long as the block lasts.

        If it breaks, all are dropped that go to the same encoder process: that has died.

        Raises:
            EncoderAway: There is none, as no encoder process lives.
        """
        with self._changed:
            while not self._free:
                if not self._all:
                    raise EncoderAway
                self._changed.wait()
            connection = self._free.popleft()
        try:
            yield connection
        except OSError:
            with self._changed:
                dead = [each for each in self._all if each.path == connection.path]
            self.drop(dead)
            raise
        finally:
            with self._changed:
                if connection in self._all:
                    self._free.append(connection)
                    self._changed.notify()
