"""Advice on a support set as JSON: whether it is enough, what it needs, what can go."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from service.reports.example import ADVICE_EXAMPLE
from service.reports.image_schemas import LookedUpImage, SimilarImage, Suspect

#: Whether there are images enough.
Verdict = Literal["enough", "nearly enough", "not enough", "cannot tell"]
#: Why an image can go.
Reason = Literal["near copy", "covered"]


class EstimateOut(BaseModel):
    """An expected value, and the interval that is meant to hold the true one in 9 of 10 cases.

    It did for gains on images like those that it was made by, and in 3 of 4 cases on other sets.
    """

    value: float
    low: float
    high: float


class MeasuredPoint(BaseModel):
    """What parts of the support set made of the images that they left out."""

    shots: float = Field(description="Images a class, geometric mean of the classes.")
    accuracy: float = Field(description="Mean of the classes.")


class ExpectedPoint(EstimateOut):
    """Accuracy to expect of new images."""

    shots: float = Field(description="Images a class.")


class LearningCurveOut(BaseModel):
    """Accuracy against images a class."""

    shots: float = Field(description="Images a class at hand, geometric mean of the classes.")
    measured: list[MeasuredPoint] = Field(
        description="Points that it goes by, the first one by leave-one-out of all images."
    )
    expected: list[ExpectedPoint] = Field(
        description="The curve from one image a class up to `more` images a class beyond `shots`."
    )
    accuracy: EstimateOut = Field(description="Accuracy to expect of new images, as it is.")
    gain: EstimateOut = Field(
        description="By how much `more` images of every class raise it; 0.02 are two points."
    )


class ClassNeed(BaseModel):
    """What more images of one class are worth."""

    label: str
    n_images: int
    n_votes: int = Field(description="Images of the class that leave-one-out could judge.")
    recall: EstimateOut | None = Field(
        description="Share of its images named rightly, pooled with the other classes': few votes"
        " say little. null: fewer than 3 votes, or no curve."
    )
    gain: EstimateOut | None = Field(
        description="By how much `more` images of this class alone raise that; null as `recall`."
    )
    text: str = Field(description="The same in a sentence.")


class SpareImage(LookedUpImage):
    """An image that can go."""

    reason: Reason = Field(
        description="`near copy`: of another image of its class. `covered`: alike to another image"
        " of its class, and named rightly without itself."
    )
    similar: SimilarImage = Field(
        description="The image of its class that it copies, or that covers it: it stays."
    )


class AdviceOut(BaseModel):
    """What a support set needs, and what it can do without."""

    model_config = ConfigDict(json_schema_extra={"examples": [ADVICE_EXAMPLE]})

    classifier: str
    verdict: Verdict = Field(
        description="`enough`: `more` images a class bring less than a point, by the upper end of"
        " the interval; `nearly enough`: by the expected value."
    )
    text: str = Field(description="The verdict in a sentence.")
    more: int = Field(description="Images a class that gains are told for.")
    curve: LearningCurveOut | None = Field(
        description="null where there is too little to go by; `text` says what is missing."
    )
    classes: list[ClassNeed] = Field(
        description="Every class, the one that needs images most first: those of too few images to"
        " judge, then by expected gain."
    )
    n_can_go: int
    can_go: list[SpareImage] = Field(
        description="Images that can go, all of them together: near copies, then covered ones, the"
        " clearest first. At most 500."
    )
    look_at: list[Suspect] = Field(
        description="Images that may do harm: the others find another class at least 30 times as"
        " probable as their own. If the label is wrong, move or delete them; if it is right, they"
        " are worth more than others. The clearest first; at most 500."
    )
