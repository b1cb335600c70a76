"""``/healthz`` and ``/readyz``: liveness and readiness probes."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from service.api.dependencies import ReadyParts
from service.api.openapi.responses import problems
from service.problems import EncoderAway

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """State of the process."""

    status: Literal["ok"]


class Readiness(BaseModel):
    """What can be answered."""

    status: Literal["ready"]
    storage: Literal["sound", "damaged", "unchecked"] = Field(
        description="What the last check of all that is stored has found. Where it is `damaged`"
        " classifiers that are not concerned are answered for as ever; the log says what is."
    )


@router.get("/healthz", summary="Liveness")
async def healthz() -> Health:
    """200 as long as the process can answer at all."""
    return Health(status="ok")


@router.get("/readyz", summary="Readiness", responses=problems(storage=False))
async def readyz(parts: ReadyParts) -> Readiness:
    """200 once the backbone is warm and the database open; 503 before."""
    if not parts.backbone.available:
        raise EncoderAway
    return Readiness(status="ready", storage=parts.scrubber.state)
