"""Handful and another server with a model of the same shape, in turns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import mean

from benchmarks.limits.record import Compared
from benchmarks.load import NotStarted, Plan, Report, Request, Service, load
from benchmarks.load.process import LoadFailed
from benchmarks.peers.catalogue import UNAVAILABLE, Peer
from benchmarks.peers.environments import NotInstalled, environment, version
from benchmarks.peers.started import memory, started
from benchmarks.photographs import queries
from benchmarks.servers import PREDICT, baseline, handful, register

FEW, MANY = 1, 32
_WARM_UP = 1.0
_LONG = 4.0


class Reference:
    """The Handful that others are measured beside.

    Args:
        service: Running, with a classifier.

    Raises:
        NotAnswered: It does not answer well.
    """

    def __init__(self, service: Service) -> None:
        self.service = service
        self.requests = [ask_handful(file) for file in queries()]
        self.turn = _turn(service, self.requests)


class NotAnswered(RuntimeError):
    """A server answers with errors, or not at all; the message says how."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A server that is compared.

    Attributes:
        name: In the table.
        tower: Name of the model.
        start: Starts it.
        ask: Makes the request for a JPEG.
        version: Of its package.
        note: How it is set up.
    """

    name: str
    tower: str
    start: Callable[[], AbstractContextManager[Service]]
    ask: Callable[[bytes], Request]
    version: str = ""
    note: str = ""


def ask_handful(file: bytes) -> Request:
    """The request for a JPEG."""
    return Request.post(PREDICT, file, "image/jpeg")


@contextmanager
def ours(backbone: str, precision: str) -> Iterator[Service]:
    """Handful with a classifier of 10 classes of 16 images."""
    with handful(backbone=backbone, precision=precision) as service:
        register(service)
        yield service


def naive(tower: str) -> list[Contender]:
    """The naive server with one pass and with two."""
    notes = {
        "": "one pass, the frozen embedding alone",
        "?both=true": "two passes, both embeddings",
    }
    return [
        Contender(
            f"naive{', two passes' if query else ''}",
            tower,
            baseline,
            lambda file, query=query: Request.form(  # type: ignore[misc]
                f"/predict{query}", [file], "image/jpeg", "file"
            ),
            note=f"FastAPI, open_clip in eager PyTorch; {note}",
        )
        for query, note in notes.items()
    ]


def peer(name: str, peer: Peer, tower: str, folder: Path) -> Contender:
    """A peer in its environment.

    Raises:
        NotInstalled: It cannot be installed.
    """
    place = environment(name, folder)
    return Contender(
        name, tower, lambda: started(peer, place), peer.ask, version(place, peer.package), peer.note
    )


def compare(reference: Reference, contender: Contender, rounds: int, seconds: float) -> Compared:
    """Measure both in turns; a server that does not run is told with the reason.

    Args:
        reference: Handful with the same tower, in float32.
        contender: The other one.
        rounds: How often.
        seconds: Of each measurement.
    """
    found = Compared(
        server=contender.name,
        tower=contender.tower,
        version=contender.version,
        note=contender.note,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    asked = [contender.ask(file) for file in queries()]
    here, handful_asked, our_turn = reference.service, reference.requests, reference.turn
    try:
        with contender.start() as service:
            turn = _turn(service, asked)
            for _ in range(rounds):
                found.many_handful.append(_throughput(here, handful_asked, seconds, our_turn))
                found.many.append(_throughput(service, asked, seconds, turn))
                found.one_handful.append(_latency(here, handful_asked, seconds))
                found.one.append(_latency(service, asked, seconds))
            found.memory, found.memory_handful = memory(service), memory(here)
    except (NotStarted, NotAnswered, LoadFailed, NotInstalled) as error:
        return found.model_copy(
            update={"reason": last_line(error), "many": [], "one": [], "many_handful": [],
                    "one_handful": []}
        )  # fmt: skip
    return found


def unavailable(tower: str) -> list[Compared]:
    """Servers that no package registry has."""
    return [
        Compared(server=name, tower=tower, reason=reason) for name, reason in UNAVAILABLE.items()
    ]


def last_line(error: Exception) -> str:
    """The last line of what went wrong, short enough for a table."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__)[:300]


def throughput(report: Report, connections: int) -> float:
    """Answers a second of a closed loop, from their mean latency by Little's law.

    Counting them would depend on where in a window the batches of a slow server end.

    Raises:
        NotAnswered: Some requests were answered otherwise than with 200, or none was.
    """
    if report.errors or not report.latencies:
        raise NotAnswered(f"{connections} connections are answered with {dict(report.outcomes)}")
    return connections / mean(report.latencies)


def _turn(service: Service, requests: Sequence[Request]) -> float:
    """Seconds in which many connections are all answered, once it has warmed up."""
    load(Plan(service.port, requests, FEW, 0.5, _WARM_UP))
    report = load(Plan(service.port, requests, MANY, _LONG, _WARM_UP))
    return MANY / throughput(report, MANY)


def _throughput(
    service: Service, requests: Sequence[Request], seconds: float, turn: float
) -> float:
    window = max(2 * seconds, 1.5 * turn)
    return throughput(load(Plan(service.port, requests, MANY, window, max(0.5, turn))), MANY)


def _latency(service: Service, requests: Sequence[Request], seconds: float) -> float:
    report = load(Plan(service.port, requests, FEW, seconds))
    throughput(report, FEW)
    return report.latency(0.5)
