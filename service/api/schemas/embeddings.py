"""The JSON of embeddings: of images and texts, in the service's own shape and in OpenAI's."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    WithJsonSchema,
)

from service.api.openapi.schema_types import ClassifierName, Sha256
from service.api.schemas.images import (
    PIXEL,
    Base64,
    ImageData,
    ImageReference,
    ImageUrl,
    ShortText,
    Strict,
    kind_of,
)

EncodingFormat = Literal["float", "base64"]
# Characters of a text; the text tower reads the first tens of words.
_LONGEST = 2000
_MOST_PLACES = 5

Text = Annotated[str, ShortText, Field(min_length=1, max_length=_LONGEST)]


def _few_places(template: str) -> str:
    if template.count("{}") > _MOST_PLACES:
        raise ValueError(f"a template has at most {_MOST_PLACES} places {{}}")
    return template


Template = Annotated[
    str,
    ShortText,
    Field(max_length=500, pattern=r"\{\}", json_schema_extra={"pattern": r"\{\}"}),
    AfterValidator(_few_places),
]
Templates = Annotated[
    list[Template],
    Field(
        max_length=100,
        description="Texts with `{}`, into each of which each text is written; their embeddings are"
        " averaged. Without any a text is embedded as it is.",
    ),
]


class EmbeddedReference(ImageReference):
    """A support image of a classifier."""

    classifier: Annotated[ClassifierName, ShortText]


class ImagesToEmbed(Strict):
    """Images to be embedded."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"images": [{"data": PIXEL}]}]})

    images: list[
        Annotated[
            Annotated[ImageData, Tag("data")]
            | Annotated[EmbeddedReference, Tag("image_id")]
            | Annotated[ImageUrl, Tag("url")],
            Discriminator(
                lambda value: kind_of(value, ("data", "image_id", "url")),
                custom_error_type="image_kind",
                custom_error_message="is no object with exactly one of data, image_id and url",
            ),
        ]
    ] = Field(min_length=1)


class TextsToEmbed(Strict):
    """Texts to be embedded."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"texts": ["a forest"], "templates": ["a satellite photo of {}."]}]
        }
    )

    texts: list[Text] = Field(min_length=1)
    templates: Templates = Field(default_factory=list)


def _listed(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


def _one_or_many(item: dict[str, Any]) -> WithJsonSchema:
    many = {"type": "array", "items": item, "minItems": 1}
    return WithJsonSchema({"anyOf": [many, item]})


class _OpenAI(Strict):
    model: Annotated[str, ShortText] = Field(
        default="handful",
        max_length=255,
        description="`handful`, or the name of the backbone that is served; others are not there.",
    )
    encoding_format: EncodingFormat = "float"
    user: Annotated[str, ShortText] | None = Field(
        default=None, max_length=255, description="Not looked at."
    )


class OpenAITexts(_OpenAI):
    """Texts to be embedded, in OpenAI's shape."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"model": "handful", "input": ["a forest"]}]}
    )

    input: Annotated[
        list[Text],
        Field(min_length=1),
        BeforeValidator(_listed),
        _one_or_many({"type": "string", "minLength": 1, "maxLength": _LONGEST}),
    ]
    modality: Literal["text"] = "text"


class OpenAIImages(_OpenAI):
    """Images to be embedded, in OpenAI's shape as infinity has it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "model": "handful",
                    "input": [f"data:image/png;base64,{PIXEL}"],
                    "modality": "image",
                }
            ]
        }
    )

    input: Annotated[
        list[Base64],
        Field(min_length=1),
        BeforeValidator(_listed),
        _one_or_many({"type": "string", "minLength": 1, "format": "image-base64"}),
    ] = Field(description="Data URIs or base64; URLs where the service fetches them.")
    modality: Literal["image"]


Row = Annotated[
    list[float] | str,
    Field(description="Numbers, or base64 of float32 (little-endian)."),
]


class EmbeddedOut(BaseModel):
    """The embeddings of an image or a text, unit vectors."""

    frozen: Row = Field(
        description="As the encoder was trained: comparable with texts. Numbers, or base64 of"
        " float32 (little-endian)."
    )
    corrected: list[float] | str | None = Field(
        description="With less intra-modal overlap, for comparing images with images; null for"
        " texts."
    )


class EmbeddingsOut(BaseModel):
    """Embeddings, in the order of what was sent."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "model": "lite",
                    "fingerprint": "9f86d081884c7d659a2feaa0c55ad015"
                    "a3bf4f1b2b0b822cd15d6c15b0f00a08",
                    "width": 2,
                    "corrected_width": 2,
                    "embeddings": [{"frozen": [0.6, 0.8], "corrected": [0.8, -0.6]}],
                }
            ]
        }
    )

    model: str = Field(description="The name of the backbone.")
    fingerprint: Sha256 = Field(
        description="Of what has embedded images; those of two fingerprints are not comparable."
    )
    width: int = Field(description="Of frozen embeddings, and of texts.")
    corrected_width: int = Field(description="Of corrected ones.")
    embeddings: list[EmbeddedOut]


class OpenAIEmbedding(BaseModel):
    """The embedding of one input."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: Row


class OpenAIUsage(BaseModel):
    """What was read."""

    prompt_tokens: int = Field(description="Tokens of texts, about; 0 of images.")
    total_tokens: int


class OpenAIEmbeddingsOut(BaseModel):
    """Embeddings in OpenAI's shape: the frozen ones, by which images and texts are comparable."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "object": "list",
                    "model": "lite",
                    "fingerprint": "9f86d081884c7d659a2feaa0c55ad015"
                    "a3bf4f1b2b0b822cd15d6c15b0f00a08",
                    "usage": {"prompt_tokens": 4, "total_tokens": 4},
                    "data": [{"object": "embedding", "index": 0, "embedding": [0.6, 0.8]}],
                }
            ]
        }
    )

    object: Literal["list"] = "list"
    model: str
    fingerprint: Sha256
    usage: OpenAIUsage
    data: list[OpenAIEmbedding]
