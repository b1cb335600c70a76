"""The settings of a classifier: each a field, with its bounds and what it is for, once.

Storage keeps a field in the column of its name, and the API takes and shows it by that name; a new
setting is a field here, its column with a migration (``service/storage/``), and its use.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    FailFast,
    Field,
    GetCoreSchemaHandler,
    GetPydanticSchema,
    StringConstraints,
    field_validator,
)
from pydantic_core import CoreSchema
from pydantic_core.core_schema import (
    list_schema,
    no_info_after_validator_function,
    plain_serializer_function_ser_schema,
    str_schema,
)

from adapters.backbones.support_views import MOST_VIEWS
from adapters.heads import DEFAULT_HEAD, HEADS
from service.name_validation import CLASSIFIER

# Each place is filled with a class name; a text tower reads some dozens of words in all.
_MOST_PLACES = 5

_Template = Annotated[str, StringConstraints(max_length=500, pattern=r"\{\}")]
_TemplateList = Annotated[list[_Template], FailFast(), Field(max_length=100)]


def _from_list(_: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
    return no_info_after_validator_function(
        tuple,
        handler.generate_schema(_TemplateList),
        serialization=plain_serializer_function_ser_schema(
            list, return_schema=list_schema(str_schema())
        ),
    )


def _whole(number: object) -> object:
    """JSON has one kind of numbers: 4.0 is an integer, as JSON Schema has it."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


class ClassifierSettings(BaseModel):
    """How a classifier answers: its head, its prompt templates, its thresholds."""

    # An API model that adds fields to these validates to these alone.
    model_config = ConfigDict(frozen=True, revalidate_instances="subclass-instances")

    method: str = Field(
        default=DEFAULT_HEAD,
        json_schema_extra={"enum": list(HEADS)},
        description="The head that answers. `auto` pools two of them"
        " and lets the support images say what they count against the names. `zero-shot`"
        " looks at class names only, the others at the support images too; those with ++ compare"
        " images by the corrected embedding.",
    )
    # JSON has lists; what memory holds never changes.
    templates: Annotated[tuple[str, ...], GetPydanticSchema(_from_list)] = Field(
        default_factory=tuple,
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
    support_views: Annotated[int, BeforeValidator(_whole)] = Field(
        default=1,
        ge=1,
        le=MOST_VIEWS,
        description="Views of each support image that are embedded and averaged: the image, and"
        " random crops of it, some mirrored. 1: the image alone. Each costs a pass of the encoder"
        " when an image is registered, and nothing when a query is answered. Another number for a"
        " classifier with images embeds all of them again, which takes that they were kept. With"
        " more than one, far more images are called unknown than `false_rejection_rate` says.",
    )
    multi_label: bool = Field(
        default=False,
        description="Whether an image may have several labels, or none: each class has a"
        " probability and a threshold of its own, and an answer has the `labels` at or above"
        " theirs. An image that is registered in another class gains that label. Takes the method"
        " `auto` and no coverage. With true for false, images that several classes have become one"
        " each; the other way takes that none is in two classes.",
    )
    prompts: str | None = Field(
        default=None,
        pattern=f"^{CLASSIFIER}$",
        description="Trained prompts that this classifier's images and class names are embedded"
        " with, by the name that they were uploaded under (`PUT /v1/prompts/{name}`); null: as the"
        " service was started. Class names are written with the template of the prompts then,"
        " whatever `templates` says. Others for a classifier with images embed all of them again,"
        " which takes that they were kept.",
    )
    remember: Literal["none", "unknown", "uncertain", "all"] = Field(
        default="none",
        description="Which queries are remembered with their answers, to be judged by people:"
        " `unknown` ones; `uncertain` ones too, whose prediction set has not one label, or, without"
        " a coverage, whose best class leads the next by less than 0.3; or `all`.",
    )
    remember_most: Annotated[int, BeforeValidator(_whole)] = Field(
        default=1000,
        ge=1,
        le=10_000,
        description="Most queries that are remembered; beyond them the oldest are forgotten.",
    )
    remember_days: float = Field(
        default=30.0,
        gt=0,
        le=3650,
        description="Days after which a remembered query is forgotten.",
    )
    coverage: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="How often the prediction set of an image should hold its class; null: no"
        " prediction sets.",
    )

    @field_validator("templates")
    @classmethod
    def _few_places(cls, templates: tuple[str, ...]) -> tuple[str, ...]:
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
