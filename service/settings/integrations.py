"""Settings of integrations: which other systems the service answers in their own way."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Annotated, NamedTuple, Self

from pydantic import BaseModel, BeforeValidator, Field, field_validator, model_validator
from pydantic_settings import NoDecode

from service.hosts import split


class Registered(NamedTuple):
    """Where an integration is.

    Attributes:
        package: In :mod:`service.integrations`.
        needs: A module that comes with the extra of the integration's name; None: there is none.
    """

    package: str
    needs: str | None = None


INTEGRATIONS: Mapping[str, Registered] = {
    "open-inference": Registered("open_inference"),
    "hugging-face": Registered("hugging_face"),
    "photoprism": Registered("photoprism"),
    "mcp": Registered("mcp", needs="mcp"),
}
"""All integrations, by their names. Whoever adds one registers it here, by one line."""


class IntegrationSettings(BaseModel):
    """Settings of integrations: which other systems the service answers in their own way."""

    integrations: Annotated[list[str], NoDecode, BeforeValidator(split)] = Field(
        [],
        description="Other systems that are answered in their own way, separated by commas:"
        f" {', '.join(INTEGRATIONS)}; empty for none.",
    )

    grpc_port: int | None = Field(
        None,
        ge=1,
        le=65535,
        description="Port of the Open Inference Protocol over gRPC, for the integration"
        " open-inference; none by default.",
    )
    grpc_max_message_bytes: int = Field(
        64 * 2**20,
        gt=0,
        lt=2**31,
        description="Largest message over gRPC. As many are received at a time as fit into"
        " HANDFUL_MAX_BYTES_IN_FLIGHT, each as large as that.",
    )

    @model_validator(mode="after")
    def _grpc_can_be_had(self) -> Self:
        """Before anything is done."""
        if self.grpc_port is None:
            return self
        if "open-inference" not in self.integrations:
            raise ValueError("HANDFUL_GRPC_PORT needs HANDFUL_INTEGRATIONS=open-inference")
        if find_spec("grpc") is None or find_spec("grpc_health") is None:
            raise ValueError("HANDFUL_GRPC_PORT needs gRPC: pip install 'handful[grpc]'")
        return self

    @field_validator("integrations")
    @classmethod
    def _can_be_had(cls, names: list[str]) -> list[str]:
        """Before anything is done."""
        for name in names:
            if name not in INTEGRATIONS:
                raise ValueError(f"there is no integration {name!r}; {', '.join(INTEGRATIONS)} are")
            needs = INTEGRATIONS[name].needs
            if needs is not None and find_spec(needs) is None:
                raise ValueError(
                    f"the integration {name!r} is not installed: pip install 'handful[{name}]'"
                )
        return list(dict.fromkeys(names))
