"""One batch of the campaign: a service of its own, attacked in rounds, and what was found."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx2 as httpx
import uvloop

from tests.campaigns.requests.attack import Attack, Fault, Maker, Tally
from tests.campaigns.requests.bodies import Bodies
from tests.campaigns.requests.dictionary import CREDENTIALS
from tests.campaigns.requests.foreign import Foreign
from tests.campaigns.requests.health import Health
from tests.campaigns.requests.memory import (
    MIB,
    SLACK,
    growth,
    processor_seconds,
    slope,
)
from tests.campaigns.requests.mutating import mutated
from tests.campaigns.requests.operations import Operations, Seen
from tests.campaigns.requests.request import Request
from tests.campaigns.requests.service import Attacked, attacked

CONNECTIONS = 8
"""That send at a time."""
_FOREIGN = 0.25
_STRANGERS = 0.1


@dataclass
class Found:
    """What a batch has shown.

    Attributes:
        tally: Of requests and answers.
        faults: All that must not be, of answers and of the service as a whole.
        seconds: Of the attack alone.
        processor: Seconds of it that the service has computed, all of its threads.
        memory: Bytes of the service after each round.
        grown: Bytes, by ``growth``; None: not measured.
        slope: Bytes a request, by ``slope``.
        health: Seconds of the slowest ``/healthz``.
        health_own: The same, without what the event loop waited for a processor.
    """

    tally: Tally = field(default_factory=Tally)
    faults: list[Fault] = field(default_factory=list)
    seconds: float = 0.0
    processor: float = 0.0
    memory: list[int] = field(default_factory=list)
    grown: int | None = None
    slope: float = 0.0
    health: float = 0.0
    health_own: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a batch is.

    Attributes:
        mode: Of access.
        requests: How many are sent.
        seed: Of all that is drawn.
        each: Requests of a round, after which the service is put in order and weighed.
        pictures: How many mutated ones there are to draw from.
    """

    mode: str
    requests: int
    seed: str
    each: int = 2500
    pictures: int = 1500


def run(
    plan: Plan,
    folder: Path,
    backbone: str,
    planted: Callable[[], None] | None = None,
    told: Callable[[Found], None] | None = None,
) -> Found:
    """Attack a service of its own.

    Args:
        plan: What is sent.
        folder: For the service; it is there.
        backbone: That it encodes with.
        planted: A bug of it.
        told: Called after each round.
    """
    found = Found()
    with attacked(folder, plan.mode, backbone, planted) as service:
        seen = Seen()
        make = maker(service, plan, seen)
        process, places = service.server.process, []
        with Health(service.server.url, process.pid) as health:
            for place in range(0, plan.requests, plan.each):
                number = min(plan.each, plan.requests - place)
                attack = Attack(service.server.url, make, seen, found.tally)
                begun, computed = time.monotonic(), processor_seconds(process.pid)
                uvloop.run(attack.run(number, CONNECTIONS, f"{plan.seed} {place}"))
                found.seconds += time.monotonic() - begun
                if process.poll() is not None:
                    found.faults.append(Fault(f"the service ended, status {process.poll()}"))
                    break
                found.processor += processor_seconds(process.pid) - computed
                if (fault := _put_in_order(service)) is not None:
                    found.faults.append(Fault(fault))
                    break
                found.memory.append(service.memory())
                places.append(place + number)
                if told is not None:
                    told(found)
        found.health, found.health_own = health.slowest, health.slowest_own
        found.faults[:0] = found.tally.faults
        found.faults += map(Fault, health.faults[:5])
        found.grown, found.slope = growth(found.memory), slope(places, found.memory)
        if found.grown is not None and found.grown > SLACK:
            found.faults.append(Fault(f"the service grew by {found.grown / MIB:.0f} MiB"))
        _end(service, found)
    return found


def _put_in_order(service: Attacked) -> str | None:
    try:
        service.clean()
        if (fault := service.fault_of_known()) is not None:
            return f"a known query is answered otherwise: {fault}"
    except httpx.HTTPError as error:
        return f"the service cannot be put in order: {error!r}"
    return None


def _end(service: Attacked, found: Found) -> None:
    if service.server.process.poll() is None and (status := service.server.stop()) not in {0, -15}:
        found.faults.append(Fault(f"the service was told to end, status {status}"))
    log = service.server.log.read_text(errors="replace")
    if tracebacks := log.count("Traceback"):
        begin = log.index("Traceback")
        end = log.find("\n\n", begin)
        told = log[max(0, begin - 300) : begin + 3000 if end < 0 else min(end, begin + 6000)]
        found.faults.append(Fault(f"{tracebacks} tracebacks in the log, the first: {told}"))


def maker(service: Attacked, plan: Plan, seen: Seen) -> Maker:
    """What draws requests for a service: of all operations, valid, and more or less mutated."""
    bodies = Bodies.drawn(hash_of(plan.seed), plan.pictures)
    foreign = Foreign(bodies.whole, bodies.pictures)
    with httpx.Client(base_url=service.server.url, timeout=120) as http:
        operations = Operations(http.get("/openapi.json").json(), bodies, seen)

    def make(draw: random.Random) -> Request:
        request = (foreign if draw.random() < _FOREIGN else operations).request(draw)
        if draw.random() < _STRANGERS:
            request.fields.append(draw.choice(CREDENTIALS))
        else:
            request.fields += service.credentials(draw)
        mutated(request, bodies, draw)
        return request

    return make


def hash_of(seed: str) -> int:
    """A number that follows from a seed, the same in each process."""
    return random.Random(seed).randrange(2**31)
