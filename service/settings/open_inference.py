"""Settings of the Open Inference Protocol over gRPC."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Self

from pydantic import Field, model_validator

from service.settings.integrations import IntegrationSettings


class OpenInferenceSettings(IntegrationSettings):
    """Settings of the Open Inference Protocol over gRPC."""

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
