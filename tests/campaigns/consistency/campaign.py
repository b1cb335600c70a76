"""One batch of a campaign: clients, faults beside them, and what the checker says of it all."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx2 as httpx

from tests.campaigns.consistency.checker import Anomaly, check
from tests.campaigns.consistency.clients import Client, Common
from tests.campaigns.consistency.deployments import Deployment
from tests.campaigns.consistency.history import History

_CLASSIFIERS = ("one", "two", "three")
# Seconds at most from the end of one fault to the next.
_ALIVE = 1.0
# Seconds that clients go on after the last fault, and in which each of them has to end.
_AFTER, _ENDS = 1.0, 240.0


@dataclass
class Found:
    """What a batch has shown.

    Attributes:
        operations: How many were answered, or were not.
        faults: How many of each kind were inflicted.
        anomalies: Answers that no order of the operations explains.
        failures: What clients or services have done that they must never do, and whatever broke a
            batch off: it proves something, and is told like the others.
        tracebacks: In the logs of the services.
        counts: Of operations by their kind and outcome.
        seconds: Of all of it; and of the checker alone.
    """

    operations: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    anomalies: list[Anomaly] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    tracebacks: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    checked_in: float = 0.0

    @property
    def is_well(self) -> bool:
        """Whether every promise was kept."""
        return not (self.anomalies or self.failures or self.tracebacks)

    @contextmanager
    def failing(self, what: str) -> Iterator[None]:
        """Whatever ends the block is a failure of the batch, and the batch goes on behind it."""
        try:
            yield
        except Exception as error:
            self.failures.append(f"{what}: {error!r}")


def run(
    deployment: Deployment,
    *,
    faults: Sequence[str],
    number: int,
    clients: int,
    seed: int,
    file: Path | None = None,
) -> Found:
    """Let clients go on while faults are inflicted, and check what they have seen.

    Args:
        deployment: Up and empty.
        faults: Kinds that are drawn from.
        number: Of faults.
        clients: How many there are.
        seed: Of all that is drawn.
        file: Where the history is written.
    """
    draw = random.Random(seed)
    history = History(file)
    common = Common(deployment.address, history, _CLASSIFIERS)
    found = Found(counts=common.counts)
    begun = time.monotonic()
    with found.failing("the classifiers are not there"):
        _set_up(deployment.address(draw))
    running = [Client(common, one, seed) for one in range(clients)]
    if found.failures:
        common.ended.set()
    for one in running:
        one.start()
    try:
        with found.failing("a service is not up again"):
            for _ in range(number):
                if common.ended.is_set():
                    break
                kind = draw.choice(list(faults))
                time.sleep(draw.uniform(0, _ALIVE))
                history.fault(time.monotonic(), kind)
                deployment.faults[kind](draw)
                found.faults[kind] += 1
            common.ended.wait(_AFTER)
    finally:
        common.ended.set()
        for one in running:
            one.join(_ENDS)
    if any(one.is_alive() for one in running):
        found.failures.append("a client was not answered any more")
    if not (found.failures or common.failures):
        with found.failing("nobody answers in the end"):
            _look_at_last(common, seed)
    found.failures += common.failures
    history.close()
    found.seconds = time.monotonic() - begun
    found.operations = len(history.operations)
    with found.failing("the checker gives up"):
        found.anomalies = check(history.operations)
    found.checked_in = time.monotonic() - begun - found.seconds
    with suppress(OSError):
        found.tracebacks = deployment.log().count("Traceback")
    return found


def _set_up(url: str) -> None:
    with httpx.Client(base_url=url, timeout=60) as http:
        for name in _CLASSIFIERS:
            made = http.put(f"/v1/classifiers/{name}", json={"names_carry_meaning": False})
            made.raise_for_status()


def _look_at_last(common: Common, seed: int) -> None:
    """What is there in the end, through whichever service."""
    last = Client(common, 10**3, seed)
    for name in _CLASSIFIERS:
        last.look(name)
        last.look(name)
