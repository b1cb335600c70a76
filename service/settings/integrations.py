"""Settings of integrations: which other systems the service answers in their own way."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Annotated, NamedTuple

from pydantic import BaseModel, BeforeValidator, Field, field_validator
from pydantic_settings import NoDecode

from service.hosts import split


class Registered(NamedTuple):
    """Where an integration is.

    Attributes:
        package: In :mod:`service.integrations`.
        prefix: Of all of its paths; none of the service's own begins so.
        needs: Modules that come with the extra of the integration's name.
    """

    package: str
    prefix: str
    needs: tuple[str, ...] = ()


INTEGRATIONS: Mapping[str, Registered] = {
    "label-studio": Registered("label_studio", "/label-studio", needs=("httpx2",)),
    "open-inference": Registered("open_inference", "/v2"),
    "hugging-face": Registered("hugging_face", "/hugging-face"),
    "photoprism": Registered("photoprism", "/photoprism"),
    "mcp": Registered("mcp", "/mcp", needs=("mcp", "handful_client")),
}
"""All integrations, by their names. Whoever adds one registers it here, by one line."""


class IntegrationSettings(BaseModel):
    """Settings of integrations: which other systems the service answers in their own way."""

    integrations: Annotated[list[str], NoDecode, BeforeValidator(split)] = Field(
        [],
        description="Other systems that are answered in their own way, separated by commas:"
        f" {', '.join(INTEGRATIONS)}; empty for none.",
    )

    @field_validator("integrations")
    @classmethod
    def _can_be_had(cls, names: list[str]) -> list[str]:
        """Before anything is done."""
        for name in names:
            if name not in INTEGRATIONS:
                raise ValueError(f"there is no integration {name!r}; {', '.join(INTEGRATIONS)} are")
            if any(find_spec(needed) is None for needed in INTEGRATIONS[name].needs):
                raise ValueError(
                    f"the integration {name!r} is not installed: pip install 'handful[{name}]'"
                )
        return list(dict.fromkeys(names))
