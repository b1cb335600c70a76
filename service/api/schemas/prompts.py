"""The JSON of trained prompts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

from service.api.openapi.schema_types import ClassifierName, Sha256
from service.storage.trained_prompts import PromptsRecord

_SHA256 = "6b2f1c0e9a3d4f58b7c6d5e4f3a2b1c0d9e8f7a6b5c4d3e2f1a0b9c8d7e6f5a4"
_EXAMPLE: dict[str, Any] = {
    "name": "satellite",
    "template": "a satellite photo of {}.",
    "depth": 9,
    "length": 2,
    "trained_with": "ViT-B-16/openai",
    "sha256": _SHA256,
    "size": 93184,
    "fingerprint": "5f0c" + _SHA256[4:],
    "usable": True,
    "classifiers": ["land-cover"],
    "created_at": "2026-11-01T12:00:00Z",
}


class PromptsOut(BaseModel):
    """Trained prompts."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    name: ClassifierName
    template: str = Field(
        description="What class names are written into; the prompts took the place of its first"
        " words."
    )
    depth: int = Field(description="Layers of each tower that are prompted, from the first on.")
    length: int = Field(description="Prompt tokens in each of them.")
    trained_with: str = Field(description="The backbone that they were trained with.")
    sha256: Sha256 = Field(description="Of their file.")
    size: int = Field(description="Bytes of their file.")
    fingerprint: Sha256 = Field(description="Of what is embedded with them.")
    usable: bool = Field(
        description="Whether they were put for the backbone and the adapter that the service has"
        " now."
    )
    classifiers: list[ClassifierName] = Field(
        description="Classifiers that have chosen them, of those that the key is for."
    )
    created_at: datetime

    @classmethod
    def of(cls, record: PromptsRecord, model: str, may_use: Callable[[str], bool]) -> Self:
        """The JSON of prompts.

        Args:
            record: What is stored of them.
            model: Fingerprint of the model of the service.
            may_use: Whether whoever asks may know of a classifier.
        """
        told = record.described
        return cls(
            name=record.name,
            template=str(told.get("template", "")),
            depth=int(told.get("depth", 0)),
            length=int(told.get("length", 0)),
            trained_with=str(told.get("trained_with", "")),
            sha256=record.sha256,
            size=record.size,
            fingerprint=record.fingerprint,
            usable=record.model == model,
            classifiers=[name for name in record.classifiers if may_use(name)],
            created_at=record.created_at,
        )


class PromptsList(BaseModel):
    """Trained prompts, by name: all, or a page of them."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"prompts": [_EXAMPLE], "next_cursor": None}]}
    )

    prompts: list[PromptsOut]
    next_cursor: str | None = Field(description="`cursor` of the next page; null on the last.")
