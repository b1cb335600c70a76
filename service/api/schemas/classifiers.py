"""The JSON of classifiers and their settings."""

from __future__ import annotations

from datetime import datetime
from operator import methodcaller
from typing import Annotated, Any, Literal

from pydantic import (
    AliasPath,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    FailFast,
    Field,
    create_model,
    model_validator,
)

from service.api.openapi.schema_types import ClassifierName, ClassLabel
from service.classifier_settings import ClassifierSettings

# More fields than there are settings; an error for each of many would cost far more than them.
_MOST_FIELDS = 100


class ClassifierSettingsIn(ClassifierSettings):
    """Settings of a classifier; those left out take their default."""

    # Strict: "yes" is no bool and "0.5" no number, as the schema says.
    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "not": {
                "properties": {
                    "method": {"const": "zero-shot"},
                    "names_carry_meaning": {"const": False},
                },
                "required": ["method", "names_carry_meaning"],
            },
            "examples": [
                {
                    "method": "auto",
                    "templates": ["a satellite photo of {}."],
                    "names_carry_meaning": True,
                    "false_rejection_rate": 0.05,
                    "support_views": 1,
                    "coverage": 0.9,
                    "classes": ["forest", "sea lake"],
                }
            ],
        },
    )

    classes: Annotated[list[ClassLabel], FailFast()] = Field(
        default_factory=list,
        max_length=10_000,
        description="Classes to declare by name. Classes that exist already stay as they are.",
    )

    @model_validator(mode="before")
    @classmethod
    def _few_fields(cls, sent: Any) -> Any:
        if isinstance(sent, dict) and len(sent) > _MOST_FIELDS:
            raise ValueError(f"{len(sent)} fields; send those of the documentation alone")
        return sent


class Tuned(BaseModel):
    """What leave-one-out over the support images has set."""

    head: str = Field(description="The head in use: the method.")
    parameters: Annotated[dict[str, float], BeforeValidator(methodcaller("as_dict"))] = Field(
        description="Hyperparameters of the head."
    )
    temperature: float = Field(description="Divides the logits before the softmax.")
    votes: int = Field(
        description="Support images that could be scored by leave-one-out; 0: defaults are used."
    )
    accuracy: float | None = Field(
        description="Share of these that were named rightly, every class counting alike."
    )
    rejection_threshold: float | None = Field(
        description="Images less familiar than this are unknown; null: too few votes to tell."
    )
    conformal_threshold: float | None = Field(
        description="Classes at least this probable are in the prediction set; null: no coverage"
        " was asked for."
    )
    state: Literal["current", "running", "stale"] = Field(
        description="Whether the support set is still the one that set this: `current`; or images"
        " or classes were changed since, and it is being set anew (`running`) or will be"
        " (`stale`). Answers use the images as they are now in any state."
    )
    since: datetime = Field(
        description="Since when it is `current`; otherwise since when it is not."
    )
    images_behind: int = Field(
        description="Images that were added or removed since it was `current`."
    )


class _Named(BaseModel):
    name: ClassifierName


# The settings as an answer shows them: by name and type, out of the record's ``settings``.
_SETTINGS: dict[str, Any] = {
    name: (field.annotation, Field(validation_alias=AliasPath("settings", name)))
    for name, field in ClassifierSettings.model_fields.items()
}
_WithSettings = create_model("_WithSettings", __base__=_Named, **_SETTINGS)


class ClassifierOut(_WithSettings):
    """A classifier."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "land-cover",
                    "method": "auto",
                    "templates": [],
                    "names_carry_meaning": True,
                    "false_rejection_rate": 0.05,
                    "support_views": 1,
                    "multi_label": False,
                    "prompts": None,
                    "remember": "none",
                    "remember_most": 1000,
                    "remember_days": 30,
                    "coverage": 0.9,
                    "backbone": "lite",
                    "n_classes": 2,
                    "n_images": 32,
                    "tuning": {
                        "head": "auto",
                        "parameters": {
                            "names": 0.36,
                            "krr": 415.0,
                            "gda": 0.62,
                            "spread": 812.5,
                            "images": 32.0,
                            "absent": 140.2,
                        },
                        "temperature": 31.9,
                        "votes": 32,
                        "accuracy": 0.97,
                        "rejection_threshold": -204.8,
                        "conformal_threshold": 0.38,
                        "state": "current",
                        "since": "2026-01-01T12:00:05Z",
                        "images_behind": 0,
                    },
                    "created_at": "2026-01-01T12:00:00Z",
                    "updated_at": "2026-01-01T12:00:05Z",
                    "notes": "From the flight of May.",
                    "metadata": {"team": "maps"},
                    "problem": None,
                }
            ]
        },
    )

    backbone: str
    n_classes: int
    n_images: int
    tuning: Tuned
    created_at: datetime
    updated_at: datetime = Field(
        description="When settings, classes or images were changed last; a tuning that came later"
        " is not counted."
    )
    notes: str = Field(description="What people wrote of it.")
    metadata: dict[str, str] = Field(description="What they wrote of it for programs.")
    problem: str | None = Field(
        description="Why this classifier cannot answer, if it cannot: another backbone embedded"
        " it, or what is stored of it is damaged."
    )


class ClassifierList(BaseModel):
    """Classifiers: all, or a page of them."""

    next_cursor: str | None = Field(description="`cursor` of the next page; null on the last.")
    classifiers: list[ClassifierOut]
