"""What a look at a part of an installation finds, and how looks are kept from each other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from service.settings import Settings
from service.telemetry.logs import without_secrets

Status = Literal["ok", "warning", "problem"]
# Seconds that a look may take: a file system or a host that does not answer is a finding, too.
PATIENCE = 20.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        status: ``warning``: it serves, but somebody should know; ``problem``: it does not.
        found: What it is.
        mend: What to do about it; empty where it is ok.
    """

    status: Status
    found: str
    mend: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """All that was found about a subject."""

    subject: str
    findings: list[Finding]


Look = Callable[[Settings], Iterable[Finding]]
"""Looks at a part; gives findings one by one, and may raise whatever is broken there."""


def ok(found: str) -> Finding:
    """It is as it should be."""
    return Finding("ok", found)


def warning(found: str, mend: str) -> Finding:
    """It serves, but somebody should know."""
    return Finding("warning", found, mend)


def problem(found: str, mend: str) -> Finding:
    """It does not serve."""
    return Finding("problem", found, mend)


def looked(subject: str, look: Look, settings: Settings, seconds: float = PATIENCE) -> Result:
    """Look at a subject, whatever breaks or hangs meanwhile.

    Args:
        subject: What it is called.
        look: Looks at it.
        settings: All of them.
        seconds: Longest that it may take.
    """
    findings: list[Finding] = []

    def all_of_it() -> None:
        try:
            findings.extend(map(_without_secrets, look(settings)))
        except Exception as error:
            told = " ".join(str(error).split()) or type(error).__name__
            said = problem(f"cannot be told: {told}", "see to what the message names")
            findings.append(_without_secrets(said))

    thread = threading.Thread(target=all_of_it, name=f"look at {subject}", daemon=True)
    thread.start()
    thread.join(seconds)
    found = list(findings)
    if thread.is_alive():
        late = f"does not answer for {seconds:g} s"
        found.append(problem(late, "a disk, a host or a driver hangs; look at its log"))
    return Result(subject, found)


def _without_secrets(finding: Finding) -> Finding:
    return Finding(finding.status, without_secrets(finding.found), finding.mend)
