"""Arguments of the tools."""

from __future__ import annotations

from typing import Annotated, Any, Self

from mcp.server.mcpserver import Context
from pydantic import BaseModel, ConfigDict, Field, model_validator

Call = Context[Any, Any]
"""The call of a tool, as the SDK hands it on."""

ClassifierName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=64,
        description="Name of a classifier, as list_classifiers tells it.",
    ),
]
Label = Annotated[str, Field(min_length=1, max_length=255, description="Name of the class.")]


class NewImage(BaseModel):
    """An image that the service need not know."""

    model_config = ConfigDict(extra="forbid")

    data: str | None = Field(
        None, description="The image file in base64, or a data URI of it. URLs are not fetched."
    )
    path: str | None = Field(
        None,
        max_length=4096,
        description="Path of an image file on this machine, or of a folder: then the images right"
        " in it. Only image files in the folders that the server was started with are read.",
    )

    def given(self) -> list[str]:
        """Names of the members that are there."""
        return [name for name in type(self).model_fields if getattr(self, name) is not None]

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if len(self.given()) != 1:
            raise ValueError(f"give an image by one of {', '.join(type(self).model_fields)}")
        return self


class AnyImage(NewImage):
    """An image, new or known to the service."""

    image_id: str | None = Field(
        None, max_length=64, description="Id of an image that is registered with this classifier."
    )
