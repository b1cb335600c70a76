"""Check-up of an installation: each look by itself, with how to mend what it finds."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from importlib import import_module

from service.checkup.finding import Finding, Result, looked
from service.settings import Settings

__all__ = ["Finding", "Result", "check_up"]

_SUBJECTS = (
    *("settings", "disk", "database", "images", "compute", "limits", "clocks", "ports"),
    "telemetry",
)


def check_up(settings: Settings) -> list[Result]:
    """Look at everything that a service with these settings stands on; changes nothing."""
    return [looked(subject, partial(_look, subject), settings) for subject in _SUBJECTS]


def _look(subject: str, settings: Settings) -> Iterable[Finding]:
    """Imported only here: a library that is broken keeps the other looks from nothing."""
    module = import_module(f"service.checkup.{subject}")
    findings: Iterable[Finding] = getattr(module, f"look_at_{subject}")(settings)
    return findings
