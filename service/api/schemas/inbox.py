"""JSON of an inbox: remembered queries, verdicts on them, accuracy over time."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from service.api.openapi.schema_types import ClassifierName, ClassLabel, ImageIdentifier
from service.api.schemas.predictions import is_none
from service.inbox.accuracy import AccuracyWindow
from service.inbox.worth import MARGIN
from service.presentation.shift import ShiftOut
from service.storage.inbox import Remembered, Why

_ITEM: dict[str, Any] = {
    "id": "4bfa6c1d0c7c4d0f9b6f0a8e2b3c5d77",
    "asked_at": "2026-01-01T12:00:00Z",
    "why": "unknown",
    "filename": "tile-17.jpg",
    "media_type": "image/jpeg",
    "has_picture": True,
    "revision": 12,
    "label": "forest",
    "probability": 0.61,
    "known": False,
    "p_value": 0.01,
    "prediction_set": None,
    "candidates": [
        {"label": "forest", "probability": 0.61},
        {"label": "sea lake", "probability": 0.39},
    ],
}
_WINDOW: dict[str, Any] = {
    "begin": "2026-01-01T00:00:00Z",
    "end": "2026-01-08T00:00:00Z",
    "judged": 40,
    "right": 36,
    "accuracy": 0.9,
    "low": 0.77,
    "high": 0.96,
}


class CandidateOut(BaseModel):
    """A class that the query may have been of."""

    label: ClassLabel
    probability: float


class RememberedOut(BaseModel):
    """A query with its answer."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [_ITEM]})

    id: ImageIdentifier
    asked_at: datetime
    why: Why = Field(
        description="Why it is remembered: `unknown`; `uncertain`, as its prediction set has not"
        f" one label, or the best class leads the next by less than {MARGIN}; `all`, as all are."
    )
    filename: str = Field(description="As the client named it; may be empty.")
    media_type: str
    has_picture: bool = Field(
        description="Whether the picture was kept, which is at `.../image` then."
    )
    revision: int = Field(description="Of the classifier that answered.")
    label: ClassLabel = Field(description="What it was answered with.")
    probability: float
    known: bool
    p_value: float | None
    prediction_set: list[ClassLabel] | None
    labels: list[ClassLabel] | None = Field(
        default=None,
        exclude_if=is_none,
        description="Those that it was given; only of a classifier with `multi_label`.",
    )
    candidates: list[CandidateOut] = Field(description="The most probable classes, five at most.")

    @classmethod
    def of(cls, one: Remembered) -> Self:
        """The JSON of a query."""
        fields = set(cls.model_fields) - {"id"}
        return cls.model_validate(
            {"id": one.public_id} | {name: getattr(one, name) for name in fields}
        )


class InboxOut(BaseModel):
    """A page of an inbox, the newest first."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"classifier": "land-cover", "items": [_ITEM], "next_cursor": None, "shift": None}
            ]
        }
    )

    classifier: ClassifierName
    items: list[RememberedOut]
    next_cursor: str | None = Field(description="`cursor` of the next page; null on the last.")
    shift: ShiftOut | None = Field(
        description="Whether the recent queries look less familiar than the support images do, as"
        " in answers to queries."
    )


class _Action(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class ConfirmIn(_Action):
    """The answer was right. It counts in the accuracy; nothing is registered."""

    action: Literal["confirm"]


class CorrectIn(_Action):
    """The picture is of that class, whatever the answer was: it is registered there."""

    action: Literal["correct"]
    label: ClassLabel
    also: list[ClassLabel] = Field(
        default_factory=list,
        max_length=100,
        description="Its other labels, of a classifier with `multi_label`: all that it shows.",
    )


class RejectIn(_Action):
    """The picture is of no class: it is registered as an explicit negative (`not-these`)."""

    action: Literal["reject"]


class DeleteIn(_Action):
    """It is forgotten, and counts nowhere."""

    action: Literal["delete"]


InboxActionIn = Annotated[
    ConfirmIn | CorrectIn | RejectIn | DeleteIn, Field(discriminator="action")
]
"""What is to become of a remembered query."""


class InboxImage(BaseModel):
    """The support image that an action has made, or found."""

    id: ImageIdentifier
    label: ClassLabel
    status: Literal["created", "duplicate"]


class InboxActionOut(BaseModel):
    """What became of a remembered query, which is in the inbox no more."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "4bfa6c1d0c7c4d0f9b6f0a8e2b3c5d77",
                    "action": "correct",
                    "right": False,
                    "image": {
                        "id": "0b54c1a2f6e84bb0b6c5d1f6b7a3a9f1",
                        "label": "sea lake",
                        "status": "created",
                    },
                }
            ]
        }
    )

    id: ImageIdentifier
    action: Literal["confirm", "correct", "reject", "delete"]
    right: bool | None = Field(
        description="Whether the answer was right, by this; null where that is not told."
    )
    image: InboxImage | None = Field(
        description="Where it is registered, under the first label; null: nowhere."
    )


class AccuracyOut(BaseModel):
    """What verdicts say of the queries of a time."""

    begin: datetime
    end: datetime
    judged: int
    right: int
    accuracy: float | None = Field(ge=0, le=1, description="null where nothing was judged.")
    low: float | None = Field(description="Lower end of its 95 % interval (Wilson, 1927).")
    high: float | None = Field(description="Upper end.")

    @classmethod
    def of(cls, window: AccuracyWindow) -> Self:
        """The JSON of a window."""
        return cls(**{name: getattr(window, name) for name in cls.model_fields})


class AccuracyOverTime(BaseModel):
    """Accuracy over time, by the verdicts on remembered answers."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "classifier": "land-cover",
                    "remember": "all",
                    "windows": [_WINDOW],
                    "together": _WINDOW,
                    "waiting": 12,
                    "shift": None,
                }
            ]
        }
    )

    classifier: ClassifierName
    remember: Literal["none", "unknown", "uncertain", "all"] = Field(
        description="What is remembered now. The accuracy is that of what was remembered and"
        " judged: of all queries only where all are."
    )
    windows: list[AccuracyOut] = Field(description="The oldest first; the last ends now.")
    together: AccuracyOut = Field(description="All of them.")
    waiting: int = Field(description="Queries in the inbox, which nobody has judged.")
    shift: ShiftOut | None = Field(description="As in answers to queries.")
