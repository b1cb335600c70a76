"""Settings of logs; traces have the variables of OpenTelemetry (docs/telemetry.md)."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class TelemetrySettings(BaseModel):
    """Settings of logs; traces have the variables of OpenTelemetry (docs/telemetry.md)."""

    log_format: Literal["text", "json"] = Field(
        "text", description="Lines of the log: text, or one JSON object each."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least level of the lines of the log."
    )
    access_log: bool = Field(
        False, description="Write a line for each request once it is answered."
    )
