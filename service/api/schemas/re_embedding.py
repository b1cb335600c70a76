"""JSON of a move to another recipe of embeddings."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from adapters.recipe import Precision, Resizing
from service.re_embedding.status import ReEmbeddingStatus, State


class ReEmbeddingIn(BaseModel):
    """The recipe to move to.

    A precision alone brings the resizing that new databases of it have; a resizing alone leaves the
    precision.
    """

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"precision": "bfloat16"}]}
    )

    precision: Precision | None = Field(
        None, description="Number format of the products in the image tower."
    )
    resizing: Resizing | None = Field(None, description="What resizes pictures before it.")


class DoneOf(BaseModel):
    """How many of all are in the recipe already."""

    done: int = Field(examples=[1200])
    all: int = Field(examples=[4000])


class ReEmbeddingOut(BaseModel):
    """Where the database is, and where it goes."""

    state: State = Field(
        description="`none`: nothing is under way, and all is in the recipe that is named."
        " `embedding`: images are embedded beside their old embeddings. `changing-over`:"
        " classifiers take up the new ones, one by one. `settling`: these take the place of the"
        " old ones. `waiting`: for what `error` says; it is tried again. `failed`: by `error`;"
        " POST tries again, DELETE goes back.",
        examples=["embedding"],
    )
    precision: Precision | None = Field(
        description="Of the recipe that the database is of, or goes to.", examples=["bfloat16"]
    )
    resizing: Resizing | None = Field(description="Of the same.", examples=["pillow"])
    going_back: bool = Field(
        description="Whether it goes back to the recipe before, as it was told to."
    )
    since: datetime | None = Field(description="When it was asked for.")
    images: DoneOf
    classifiers: DoneOf
    error: str | None = Field(description="What it waits for, or has failed with.")

    @classmethod
    def of(cls, status: ReEmbeddingStatus) -> Self:
        """The status as JSON."""
        progress, recipe = status.progress, status.recipe
        return cls(
            state=status.state,
            precision=None if recipe is None else recipe.precision,
            resizing=None if recipe is None else recipe.resizing,
            going_back=status.going_back,
            since=status.since,
            images=DoneOf(done=progress.images_done, all=progress.images),
            classifiers=DoneOf(done=progress.classifiers_done, all=progress.classifiers),
            error=status.error,
        )
