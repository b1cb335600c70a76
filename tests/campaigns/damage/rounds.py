"""One round: a copy of a service's data is damaged, the service is started on it, and asked."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx2 as httpx

from tests.campaigns.damage.base import Base, asked, differences, settings_of
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


@dataclass
class Round:
    """What a round has shown.

    Attributes:
        kind: Of damage.
        outcome: ``refused``: the start, with a sentence; ``told``: by problems, ``/readyz``,
            metrics or the log; ``as before``: nothing was told, and all answers were right.
        failures: Answers that must never be given, and tracebacks.
        wrong: How many answers were others than before, and were told to be.
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
        found.seconds = time.monotonic() - begun
        return found
    with server:
        with server.client() as http:
            first = _asked(http, found)
            checked = _checked(http)
            again = _asked(http, found)
            metrics = http.get("/metrics").text
        server.stop()
    text = log.read_text()
    if "Traceback" in text:
        found.failures.append(f"a traceback: {text[text.index('Traceback') :][:1500]}")
    told = _SAID.search(text) is not None or checked == "damaged" or _mended(metrics)
    if told:
        found.outcome = "told"
    for answers in (first, again):
        for what, expected in base.answers.items():
            answer = answers.get(what)
            if isinstance(answer, httpx.Response) or not differences(answer, expected):
                continue
            found.wrong += 1
            if not told:
                found.failures.append(f"{what} is another answer, and nobody says so")
    found.failures = found.failures[:10]
    found.seconds = time.monotonic() - begun
    return found


def _asked(http: httpx.Client, found: Round) -> Mapping[str, Any]:
    answers: dict[str, Any] = {}
    try:
        answers.update(asked(http))
    except httpx.TransportError as error:
        found.failures.append(f"no answer: {error!r}")
    for what, answer in answers.items():
        if not isinstance(answer, httpx.Response) or answer.status_code == 404:
            continue
        with suppress(ValueError):
            if answer.json().get("type") in _ANNOUNCED:
                continue
        found.failures.append(f"{what}: {answer.status_code} {answer.text[:300]}")
    return answers


def _checked(http: httpx.Client) -> str:
    """What the first check finds that begins from now on; the base's own ended before."""
    asked, until = time.time(), time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        time.sleep(0.1)
        ended = re.search(_ENDED, http.get("/metrics").text, re.MULTILINE)
        took = re.search(_TOOK, http.get("/metrics").text, re.MULTILINE)
        if ended and took and float(ended[1]) - float(took[1]) > asked:
            break
    return str(http.get("/readyz").json().get("storage"))


def _mended(metrics: str) -> bool:
    counts = re.findall(r"^handful_storage_mended_total\{.*\} (\S+)$", metrics, re.MULTILINE)
    return any(float(count) for count in counts)
