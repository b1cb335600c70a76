"""One round: a copy of a service's data is damaged, the service is started on it, and asked."""

from __future__ import annotations

import random
import re
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx2 as httpx

from tests.campaigns.damage.base import Answers, Base, asked, differences, settings_of
from tests.campaigns.damage.damages import DAMAGES
from tests.service.server import Server

# Seconds for the check that a service makes when it starts.
_PATIENCE = 120.0
# What may be answered in the place of what was there; nothing else, and no 500 of another kind.
_ANNOUNCED = {
    "classifier-damaged",
    "image-damaged",
    "storage-unavailable",
    "storage-damaged",
    "storage-full",
}
_ENDED = r"^handful_storage_checked_timestamp_seconds (\S+)$"
_TOOK = r"^handful_storage_check_seconds (\S+)$"
_SAID = re.compile(r"damaged|is made anew|is not used")
# After this what is not found may be what was damaged; and any answer may be of an older state.
_ROWS = re.compile(r"handful\.storage: damaged: (structure|row):")
_LOST = "changes that were acknowledged last may be lost"
# Statuses of a service that was told to end.
_ENDS_WITH = (0, -signal.SIGTERM)


@dataclass
class Round:
    """What a round has shown.

    Attributes:
        kind: Of damage.
        outcome: ``refused``: the start, with a sentence; ``told``: by problems, ``/readyz``,
            metrics or the log; ``as before``: nothing was told, and all answers were right.
        failures: Answers that must never be given, tracebacks, and whatever broke the round off.
        wrong: How many answers were others than before, problems aside. It is a failure unless it
            was told before: that the log is lost, for any; damaged pages or rows, for 404.
    """

    kind: str
    outcome: str = "as before"
    failures: list[str] = field(default_factory=list)
    wrong: int = 0
    seconds: float = 0.0


def run(
    base: Base,
    kind: str,
    draw: random.Random,
    planted: Callable[[], None] | None = None,
) -> Round:
    """Damage a copy, start a service on it, ask, let it check, and ask again.

    Args:
        base: What is copied.
        kind: Of damage.
        draw: Of the round.
        planted: A bug of the service.
    """
    begun = time.monotonic()
    found = Round(kind)
    folder = base.copy()
    if not DAMAGES[kind](folder, draw):
        found.outcome = "nothing to damage"
        return found
    log = folder / "data" / "server.log"
    try:
        server = Server.planted(folder / "data", planted, **settings_of(folder))
    except RuntimeError as error:
        found.outcome = "refused"
        text = log.read_text()
        if "Traceback" in text or "error:" not in text:
            found.failures.append(f"the start ends with: {text[-600:] or error}")
    else:
        with server:
            try:
                _look(server, base, found)
            except Exception as error:  # the service has ended, say: the round is told all the same
                end = log.read_text()[-1000:]
                found.failures.append(f"the round ends with {error!r}; the log with: {end}")
        text = log.read_text()
        if "Traceback" in text:
            found.failures.append(f"a traceback: {text[text.index('Traceback') :][:1500]}")
        if _SAID.search(text) is not None:
            found.outcome = "told"
    found.failures = found.failures[:10]
    found.seconds = time.monotonic() - begun
    return found


def _look(server: Server, base: Base, found: Round) -> None:
    with server.client() as http:
        judge(http, base.answers, server.log, found)
        checked = _checked(http, found)
        judge(http, base.answers, server.log, found)
        metrics = http.get("/metrics").text
    if (status := server.stop()) not in _ENDS_WITH:
        found.failures.append(f"the service was told to end, status {status}")
    if checked == "damaged" or _mended(metrics):
        found.outcome = "told"


def judge(http: httpx.Client, before: Answers, log: Path, found: Round) -> None:
    """Ask everything, and note what must not be answered.

    Args:
        http: Of the service.
        before: What was answered before; what is not among them belongs to something that is.
        log: Of the service: what it says when something is asked was announced in time.
        found: Where it is noted.
    """
    said = log.read_text()
    for what, answer in asked(http):
        if isinstance(answer, httpx.Response):
            if answer.status_code == 404 and _ROWS.search(said):
                found.wrong += 1
            elif not _is_announced(answer):
                found.failures.append(f"{what}: {answer.status_code} {answer.text[:300]}")
        elif what in before and differences(answer, before[what]):
            found.wrong += 1
            if _LOST not in said:
                found.failures.append(f"{what} is another answer, and nobody had said so")
        said = log.read_text()


def _is_announced(answer: httpx.Response) -> bool:
    try:
        return answer.json().get("type") in _ANNOUNCED
    except ValueError:
        return False


def _checked(http: httpx.Client, found: Round) -> str:
    """What the first check finds that begins from now on; the base's own ended before."""
    asked, until = time.time(), time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        time.sleep(0.1)
        metrics = http.get("/metrics").text
        ended = re.search(_ENDED, metrics, re.MULTILINE)
        took = re.search(_TOOK, metrics, re.MULTILINE)
        if ended and took and float(ended[1]) - float(took[1]) > asked:
            break
    else:
        found.failures.append(f"no check has ended in {_PATIENCE:.0f} s")
    return str(http.get("/readyz").json().get("storage"))


def _mended(metrics: str) -> bool:
    counts = re.findall(r"^handful_storage_mended_total\{.*\} (\S+)$", metrics, re.MULTILINE)
    return any(float(count) for count in counts)
