"""``/healthz``, asked beside all else: how late it is, by the service's own fault."""

from __future__ import annotations

import http.client
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

PATIENCE = 1.0
"""Seconds that ``/healthz`` may take."""
_PAUSE = 0.2
_TIMEOUT = 60.0


class Health:
    """Asks in a thread of its own, for as long as the block takes.

    Where others use the processors, too, a service waits for one: the longest that any of its
    threads has waited meanwhile (the scheduler counts it) is taken off.

    Args:
        url: Of the service.
        pid: Its process.

    Attributes:
        asked: How often it was answered.
        slowest: Seconds of the slowest answer, of the service's own.
        faults: What was wrong.
    """

    def __init__(self, url: str, pid: int) -> None:
        self._address = urlsplit(url)
        self._threads = Path(f"/proc/{pid}/task")
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self.asked, self.slowest = 0, 0.0
        self.faults: list[str] = []

    def __enter__(self) -> Health:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _ask(self) -> None:
        while not self._over.wait(_PAUSE):
            waited, begun = self._waited(), time.monotonic()
            try:
                self._once()
            except OSError as error:
                self.faults.append(f"/healthz is not answered: {error!r}")
                return
            took = time.monotonic() - begun
            if took > PATIENCE:
                before = waited
                after = self._waited()
                took -= max((after[one] - before.get(one, 0) for one in after), default=0) / 1e9
            self.asked += 1
            self.slowest = max(self.slowest, took)
            if took > PATIENCE:
                self.faults.append(f"/healthz took {took:.2f} s")

    def _once(self) -> None:
        address = self._address
        connection = http.client.HTTPConnection(address.hostname or "", address.port, _TIMEOUT)
        try:
            connection.request("GET", "/healthz")
            answer = connection.getresponse()
            answer.read()
        except http.client.HTTPException as error:
            raise OSError(repr(error)) from error
        finally:
            connection.close()
        if answer.status != 200:
            raise OSError(f"status {answer.status}")

    def _waited(self) -> dict[str, int]:
        """Nanoseconds that each thread has been ready to run and did not."""
        waited = {}
        for thread in self._threads.iterdir():
            try:
                waited[thread.name] = int((thread / "schedstat").read_text().split()[1])
            except OSError:  # it has ended meanwhile
                continue
        return waited
