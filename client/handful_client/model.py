"""What all models of the API have in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """JSON of the API. Members that this version does not know are left out, not refused."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=())
