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

    Where others use the processors, too, a service waits for one: what the thread of its event
    loop has waited meanwhile (the scheduler counts it) is taken off before an answer is judged.
    What other threads wait is not: the loop answers, and has no reason to wait for them.

    Args:
        url: Of the service.
        pid: Its process, whose first thread has the event loop.

    Attributes:
        asked: How often it was answered.
        slowest: Seconds of the slowest answer, as whoever asks sees it.
        slowest_own: The same, each answer without what the event loop waited for a processor.
        faults: What was wrong.
    """

    def __init__(self, url: str, pid: int) -> None:
        self._address = urlsplit(url)
        self._loop = Path(f"/proc/{pid}/schedstat")
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self.asked, self.slowest, self.slowest_own = 0, 0.0, 0.0
        self.faults: list[str] = []

    def __enter__(self) -> Health:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _ask(self) -> None:
        while not self._over.wait(_PAUSE):
            try:
                waited, begun = self._waited(), time.monotonic()
                self._once()
                took = time.monotonic() - begun
                own = took - (self._waited() - waited)
            except OSError as error:
                self.faults.append(f"/healthz is not answered: {error!r}")
                return
            self.asked += 1
            self.slowest = max(self.slowest, took)
            self.slowest_own = max(self.slowest_own, own)
            if own > PATIENCE:
                self.faults.append(f"/healthz took {took:.2f} s, {own:.2f} of them by itself")

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

    def _waited(self) -> float:
        """Seconds that the event loop's thread has been ready to run and did not."""
        return int(self._loop.read_text().split()[1]) / 1e9
