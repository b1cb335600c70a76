"""Settings that are not the defaults, and variables that are no settings."""

from __future__ import annotations

from collections.abc import Iterator

from service.checkup.finding import Finding, ok, warning
from service.environment import PREFIX, remarks
from service.settings import Settings

_SECRET = ("password", "secret", "token")


def look_at_settings(settings: Settings) -> Iterator[Finding]:
    """Name what differs from the defaults, without what is nobody's business."""
    others = []
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        if value != field.get_default(call_default_factory=True):
            shown = "***" if any(word in name for word in _SECRET) else value
            others.append(f"{PREFIX}{name.upper()}={shown}")
    yield ok(", ".join(others) if others else "all as by default")
    for remark in remarks(type(settings)):
        yield warning(remark, "correct or remove the variable")
