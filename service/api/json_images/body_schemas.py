"""Schemas of bodies that routes read by themselves, for the OpenAPI document."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import models_json_schema

from service.api.schemas.embeddings import (
    ImagesToEmbed,
    OpenAIImages,
    OpenAITexts,
    TextsToEmbed,
)
from service.api.schemas.images import ImagesIn, LabelledImagesIn
from service.api.schemas.jobs import JobFolderIn
from service.api.schemas.similar import SimilarToImage, SimilarToText

_MODELS = (
    ImagesIn,
    LabelledImagesIn,
    ImagesToEmbed,
    TextsToEmbed,
    OpenAITexts,
    OpenAIImages,
    SimilarToImage,
    SimilarToText,
    JobFolderIn,
)
_OF_URLS = ("ImageUrl", "LabelledImageUrl")
_TEMPLATE = "#/components/schemas/{model}"


def body_schemas(*, fetches: bool) -> dict[str, Any]:
    """The schemas by the names of their models.

    Args:
        fetches: Whether images may be given by URL, which this service fetches.
    """
    _, found = models_json_schema(
        [(model, "validation") for model in _MODELS], ref_template=_TEMPLATE
    )
    schemas: dict[str, Any] = found["$defs"]
    for model in _MODELS:
        schemas[model.__name__]["examples"] = model.model_config["json_schema_extra"]["examples"]  # type: ignore[index]
    if fetches:
        return schemas
    urls = [{"$ref": _TEMPLATE.format(model=name)} for name in _OF_URLS]
    for name in _OF_URLS:
        del schemas[name]
    for schema in schemas.values():
        items = schema["properties"].get("images", {}).get("items", {})
        if "oneOf" in items:
            items["oneOf"] = [one for one in items["oneOf"] if one not in urls]
    return schemas
