"""A service under attack, and what is promised of it meanwhile."""

from __future__ import annotations

import socket
import statistics
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import httpx2 as httpx

from tests.service.client import Classifier
from tests.service.pictures import picture
from tests.service.prober import Found, probing
from tests.service.server import Server

MIB = 2**20
# Seconds; and how many times as long as alone, or seconds where the machine is busy otherwise.
HEALTH = 0.5
PREDICT = 5
FLOOR = 1.0
TRIES = 3
# What allocators keep, and what other requests take: no bound is sharper than this.
SLACK = 40 * MIB


class Attacked:
    """A service, and how quick it is when it is left alone.

    While it is attacked, ``/healthz`` answers within half a second, an ordinary prediction takes no
    more than five times as long as alone (or a second, for machines that are busy otherwise), and
    memory grows by no more than is said. What goes wrong once may be the machine's fault; what goes
    wrong three times is not.
    """

    def __init__(self, server: Server, http: httpx.Client) -> None:
        self.server = server
        self.http = http
        self.normal = normal = Classifier(http, "normal")
        assert normal.put().status_code == 201
        for label, seed in (("ant", 1), ("bee", 2)):
            assert normal.post(label, picture(seed), picture(seed + 10)).status_code == 201
        self.alone = statistics.median(self._measured(lambda: time.sleep(1.5)).predict)

    def stands(self, attack: Callable[[], object], mib: float) -> None:
        """Attack; memory may grow by so much and what allocators keep."""
        for left in reversed(range(TRIES)):
            found = self._measured(attack)
            assert not found.failed
            as_promised = {
                "healthz": (max(found.health), HEALTH),
                "predict": (max(found.predict), max(PREDICT * self.alone, FLOOR)),
                "memory": (found.grown / MIB, mib + SLACK / MIB),
            }
            broken = {what: pair for what, pair in as_promised.items() if pair[0] > pair[1]}
            if not broken:
                print({what: round(pair[0], 3) for what, pair in as_promised.items()})
                return
            assert left, f"(found, promised): {broken}"

    def _measured(self, attack: Callable[[], object]) -> Found:
        with probing(self.server.url, self.server.process.pid, picture(3)) as found:
            attack()
        return found

    def connected(self) -> socket.socket:
        url = urlsplit(self.server.url)
        return socket.create_connection((url.hostname or "", url.port or 0), timeout=60)
