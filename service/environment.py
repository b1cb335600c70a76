"""Settings in the environment, where others write too, and people misspell."""

from __future__ import annotations

import os
import re
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

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
# HANDFUL_DATABASE_URL_FILE names a file whose text is HANDFUL_DATABASE_URL, as images of databases
# have it: secrets of Docker and Kubernetes are files, which no environment shows.
_FILE = "_FILE"
_ADDRESS = re.compile(r"(tcp|udp|sctp)://", re.IGNORECASE)


def is_service_link(variable: str, value: str | None) -> bool:
    """Whether Kubernetes made this variable for a Service, rather than a person for a setting."""
    if _SERVICE_LINK.fullmatch(variable):
        return True
    return bool(_SERVICE_PORT.fullmatch(variable) and _ADDRESS.match(value or ""))


class FileSettingError(ValueError):
    """A setting cannot be had from the file that the environment names."""


class Environment(EnvSettingsSource):
    """The environment without the service links of Kubernetes, and what ``_FILE`` names in it.

    Raises:
        FileSettingError: A file cannot be read, or its setting is given beside it.
    """

    def __init__(self, settings_cls: type[BaseSettings], **options: Any) -> None:
        super().__init__(settings_cls, **options)
        given = {
            name: value for name, value in self.env_vars.items() if not is_service_link(name, value)
        }
        prefix = PREFIX.lower()
        for field in settings_cls.model_fields:
            setting = prefix + field
            if file := given.get(setting + _FILE.lower()):
                if given.get(setting) is not None:
                    raise FileSettingError(
                        f"{setting.upper()} and {setting.upper()}{_FILE} are both set; take away"
                        " one of them"
                    )
                given = {**given, setting: _text(file, setting.upper() + _FILE)}
        self.env_vars = given


class EnvironmentSettings(BaseSettings):
    """Settings of the environment as ``HANDFUL_...``; what the constructor is given wins."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        *_: PydanticBaseSettingsSource,
        **__: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is given to the constructor, then the environment."""
        return init_settings, Environment(settings_cls)


def _text(file: str, variable: str) -> str:
    """What a file holds, without line breaks at its end."""
    try:
        return Path(file).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise FileSettingError(f"{variable} names {file!r}, which cannot be read: {why}") from error


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
        if name in links or written in _OF_COMMANDS or written.removesuffix(_FILE) in known:
            continue
        nearest = get_close_matches(written, known, n=1)
        hint = f"; did you mean {PREFIX}{nearest[0]}?" if nearest else ""
        said.append(f"{name} is no setting and is ignored{hint}")
    return said
