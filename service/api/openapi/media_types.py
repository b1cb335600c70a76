"""OpenAPI media types of bodies that are files: images, archives, forms."""

from __future__ import annotations

from typing import Any

from service.api.uploads.image_uploads import ZIP_TYPES
from service.images.formats import ImageFormat

# Media types of the images that are read.
IMAGE_TYPES = tuple(kind.media_type for kind in ImageFormat)


def binary(media_type: str) -> dict[str, Any]:
    """OpenAPI media type object of a body that is one file."""
    return {"schema": {"type": "string", "format": "binary", "contentMediaType": media_type}}


def files(description: str, example: str, **bounds: int) -> dict[str, Any]:
    """OpenAPI media type object of a form with one or many images.

    Args:
        description: What the files are.
        example: A file name.
        **bounds: Keywords of JSON Schema for how many they are.
    """
    return {
        "schema": {
            "type": "object",
            "properties": {
                "files": {
                    "type": "array",
                    "items": {"type": "string", "format": "binary"},
                    "minItems": 1,
                    "description": description,
                    **bounds,
                }
            },
            "required": ["files"],
            "additionalProperties": False,
        },
        "encoding": {
            "files": {
                "headers": {
                    "Content-Disposition": {
                        "description": "Of each part, with the name of its file (RFC 7578).",
                        "schema": {"type": "string"},
                        "example": f'form-data; name="files"; filename="{example}"',
                    }
                },
            }
        },
    }


def json_of(*models: str) -> dict[str, Any]:
    """OpenAPI media type object of a body in JSON.

    Args:
        *models: Names of what it may be, of those that
            :func:`service.api.openapi.document.describe` is given.
    """
    references = [{"$ref": f"#/components/schemas/{model}"} for model in models]
    return {"schema": references[0] if len(references) == 1 else {"oneOf": references}}


IMAGES_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": files(
                "One or many image files; the field's name does not matter.", "a.jpg"
            )
        }
        | {"application/json": json_of("ImagesIn")}
        | {kind: binary(kind) for kind in (*IMAGE_TYPES, "application/octet-stream")},
    }
}
EMBEDDED_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            **IMAGES_BODY["requestBody"]["content"],
            "application/json": json_of(
                "ImagesToEmbed", "TextsToEmbed", "OpenAITexts", "OpenAIImages"
            ),
        },
    }
}
SIMILAR_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            **IMAGES_BODY["requestBody"]["content"],
            "multipart/form-data": files(
                "One image file; the field's name does not matter.", "a.jpg", maxItems=1
            ),
            "application/json": json_of("SimilarToImage", "SimilarToText"),
        },
    }
}
SUPPORT_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": files(
                "Image files, each with its label as folder of the file name (`filename="
                '"cat/1.jpg"`), and zips of such files; the field\'s name does not matter.',
                "forest/a.jpg",
            )
        }
        | {"application/json": json_of("LabelledImagesIn")}
        | {kind: binary(kind) for kind in sorted(ZIP_TYPES)},
    }
}
POOL_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": files(
                "Image files, with or without a folder in their names (`filename="
                '"cat/1.jpg"`), and zips of such files; the field\'s name does not matter.',
                "tile-001.jpg",
            )
        }
        | {kind: binary(kind) for kind in sorted(ZIP_TYPES)},
    }
}
