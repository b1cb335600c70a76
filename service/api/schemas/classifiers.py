"""The JSON of classifiers and their settings."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    FailFast,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from adapters.heads import DEFAULT_HEAD, HEADS
from service.api.openapi.schema_types import ClassifierName, ClassLabel

Template = Annotated[str, StringConstraints(max_length=500, pattern=r"\{\}")]
# More fields than there are settings; an error for each of many would cost far more than them.
_MOST_FIELDS = 100
# Each is filled with a class name, of which a text tower reads some dozens of words in all.
_MOST_PLACES = 5


class ClassifierSettingsIn(BaseModel):
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
                    "coverage": 0.9,
                    "classes": ["forest", "sea lake"],
                }
            ],
        },
    )

    method: str = Field(
        default=DEFAULT_HEAD,
        json_schema_extra={"enum": list(HEADS)},
        description="The head that answers. `auto` lets the support images choose. `zero-shot`"
        " looks at class names only, the others at the support images too; those with ++ compare"
        " images by the corrected embedding.",
    )
    templates: Annotated[list[Template], FailFast()] = Field(
        default_factory=list,
        max_length=100,
        description="Sentences around a class name, whose place is {}. Empty: the backbone's own."
        " Prompts that a service was started with (`--prompts`) stand in a sentence of their own,"
        " and then these are not used.",
    )
    names_carry_meaning: bool = Field(
        default=True,
        description="Whether class names say what is in the images. false leaves out the"
        " zero-shot term: right for labels like `type-7`.",
    )
    false_rejection_rate: float = Field(
        default=0.05,
        ge=0,
        lt=1,
        description="Share of images of the classes that may be called unknown"
        " (`known: false`); 0: nothing is.",
    )
    coverage: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="How often the prediction set of an image should hold its class; null: no"
        " prediction sets.",
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

    @field_validator("templates")
    @classmethod
    def _few_places(cls, templates: list[str]) -> list[str]:
        for template in templates:
            if (places := template.count("{}")) > _MOST_PLACES:
                raise ValueError(f"a template has at most {_MOST_PLACES} places {{}}, not {places}")
        return templates

    @field_validator("method")
    @classmethod
    def _known(cls, method: str) -> str:
        if method not in HEADS:
            raise ValueError(f"unknown method; choose one of {', '.join(HEADS)}")
        return method


class Tuned(BaseModel):
    """What leave-one-out over the support images has set."""

    head: str = Field(description="The head in use: the one that `auto` chose, or the method.")
    parameters: dict[str, float] = Field(description="Hyperparameters of the head.")
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


class ClassifierOut(BaseModel):
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
                    "coverage": 0.9,
                    "backbone": "lite",
                    "n_classes": 2,
                    "n_images": 32,
                    "tuning": {
                        "head": "gda++",
                        "parameters": {"alpha": 0.62, "spread": 812.5, "absent": 140.2},
                        "temperature": 31.9,
                        "votes": 32,
                        "accuracy": 0.97,
                        "rejection_threshold": -204.8,
                        "conformal_threshold": 0.38,
                    },
                    "created_at": "2026-01-01T12:00:00Z",
                    "updated_at": "2026-01-01T12:00:05Z",
                    "problem": None,
                }
            ]
        }
    )

    name: ClassifierName
    method: str
    templates: list[str]
    names_carry_meaning: bool
    false_rejection_rate: float
    coverage: float | None
    backbone: str
    n_classes: int
    n_images: int
    tuning: Tuned
    created_at: datetime
    updated_at: datetime
    problem: str | None = Field(
        description="Why this classifier cannot answer, if it cannot: another backbone embedded"
        " it, or what is stored of it is damaged."
    )


class ClassifierList(BaseModel):
    """All classifiers, by name."""

    classifiers: list[ClassifierOut]
