"""Settings in the environment, where others write too, and people misspell."""

from __future__ import annotations

import os
import re
from difflib import get_close_matches
from typing import Any

from pydantic_settings import BaseSettings, EnvSettingsSource

PREFIX = "HANDFUL_"
# What Kubernetes tells each pod of a Service called handful, or handful-anything, and of its ports
# (kubernetes.io/docs/concepts/services-networking/service, "Environment variables").
_SERVICE_LINK = re.compile(
    r"HANDFUL(_\w+)?_(SERVICE_HOST|SERVICE_PORT(_\w+)?"
    r"|PORT_[0-9]+_(TCP|UDP|SCTP)(_(ADDR|PORT|PROTO))?)",
    re.IGNORECASE,
)
_SERVICE_PORT = re.compile(r"HANDFUL(_\w+)?_PORT", re.IGNORECASE)
# Of commands that ask a service.
_OF_COMMANDS = frozenset({"URL", "KEY"})
_ADDRESS = re.compile(r"(tcp|udp|sctp)://", re.IGNORECASE)


def is_service_link(variable: str, value: str | None) -> bool:
    """Whether Kubernetes made this variable for a Service, rather than a person for a setting."""
    if _SERVICE_LINK.fullmatch(variable):
        return True
    return bool(_SERVICE_PORT.fullmatch(variable) and _ADDRESS.match(value or ""))


class Environment(EnvSettingsSource):
    """The environment without the service links of Kubernetes."""

    def __init__(self, settings_cls: type[BaseSettings], **options: Any) -> None:
        super().__init__(settings_cls, **options)
        self.env_vars = {
            name: value for name, value in self.env_vars.items() if not is_service_link(name, value)
        }


def remarks(settings_cls: type[BaseSettings]) -> list[str]:
    """What deserves to be said of variables that look like settings and are none."""
    known = [name.upper() for name in settings_cls.model_fields]
    ours = {name: value for name, value in os.environ.items() if name.upper().startswith(PREFIX)}
    links = sorted(name for name, value in ours.items() if is_service_link(name, value))
    said = []
    if links:
        said.append(f"Kubernetes made {', '.join(links)} for a Service; no setting is taken there")
    for name in sorted(ours):
        written = name.upper().removeprefix(PREFIX)
        if name in links or written in known or written in _OF_COMMANDS:
            continue
        nearest = get_close_matches(written, known, n=1)
        hint = f"; did you mean {PREFIX}{nearest[0]}?" if nearest else ""
        said.append(f"{name} is no setting and is ignored{hint}")
    return said
