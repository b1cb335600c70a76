"""Classification report as JSON, with the example of the documentation."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from service.presentation.measure_schemas import MeasuresOut, OverlapsOut
from service.presentation.shift import ShiftOut
from service.reports.advice_schemas import AdviceOut
from service.reports.example import EXAMPLE
from service.reports.image_schemas import LookedUpImage, SimilarImage, Suspect


class TuningOut(BaseModel):
    """What the classifier answers with."""

    method: str = Field(description="As in the classifier's settings.")
    head: str = Field(description="The head in use: the one that `auto` chose, or the method.")
    temperature: float = Field(description="Divides the logits before the softmax.")
    votes: int = Field(
        description="Support images that tuned it, a burst of near copies counting as one."
    )
    accuracy: float | None = Field(
        description="Share of these that were named rightly, every class counting alike."
    )


class ExaminedOut(BaseModel):
    """What the report is made from."""

    images: int = Field(
        description="Images that were looked at: all of them up to 4096, beyond that equally many"
        " of each class that has so many, spread evenly."
    )
    complete: bool = Field(description="Whether all images were looked at.")
    near_copies_left_out: int = Field(
        description="Images of bursts that take no part but in `redundant`, because they would"
        " name each other: all but the first of each; 0 where less than a fifth of the images is"
        " that close to another."
    )
    votes: int = Field(
        description="Images that leave-one-out can judge. One that is the only one of its class"
        " cannot be: without it the class has no image."
    )


class ClassReport(BaseModel):
    """How well a class's own images are told from those of the other classes."""

    label: str
    n_images: int
    n_votes: int = Field(description="Images of the class that leave-one-out could judge.")
    accuracy: float | None = Field(
        description="Share of these that the other images name rightly; null: no votes."
    )
    confused_with: str | None = Field(
        description="The class that its images are most often taken for; null: none was."
    )


class Confusion(BaseModel):
    """Images of one class that were taken for another."""

    label: str
    named: str
    count: int


class ConfusionMatrix(BaseModel):
    """How many images of each class (row) were named as each class (column)."""

    labels: list[str] = Field(description="Of the rows and of the columns.")
    rows: list[list[int]]


class NearCopy(LookedUpImage):
    """An image that shows what another of its class shows: a frame of the same film."""

    copy_of: SimilarImage


class CalibrationBin(BaseModel):
    """Votes with about the same confidence."""

    low: float
    high: float
    count: int
    confidence: float = Field(description="Their mean confidence.")
    accuracy: float = Field(description="Share of them that is right.")


class CalibrationOut(BaseModel):
    """Whether probabilities mean what they say, by the votes."""

    error: float | None = Field(
        description="Expected calibration error: mean distance of confidence and accuracy."
    )
    bins: list[CalibrationBin] = Field(description="Intervals without votes are left out.")


class ReportOut(BaseModel):
    """What a classifier's own images say of it, each named by the others."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    classifier: str
    n_classes: int
    n_images: int
    n_negatives: int = Field(
        description="Explicit negatives, the images of the class `not-these`, which are in none of"
        " the other numbers."
    )
    tuning: TuningOut
    examined: ExaminedOut
    accuracy: float | None = Field(
        description="Mean of the classes' accuracies: what to expect of new images like these;"
        " null: no class has two images."
    )
    classes: list[ClassReport] = Field(description="In the order of their registration.")
    confusions: list[Confusion] = Field(
        description="Which class was taken for which, the most frequent first; at most 1000."
    )
    confusion_matrix: ConfusionMatrix | None = Field(
        description="null for more than 100 classes; `confusions` says the same."
    )
    n_suspects: int
    suspects: list[Suspect] = Field(
        description="Images that look mislabelled: the other images find another class at least"
        " 3 times as probable as their own. The clearest first; at most 500."
    )
    n_redundant: int
    redundant: list[NearCopy] = Field(
        description="Near copies, the nearest first; at most 500. They add little, and make"
        " leave-one-out promise too much."
    )
    advice: AdviceOut
    overlap: OverlapsOut
    measures: MeasuresOut = Field(
        description="What the embeddings of the images are like before and after the correction."
    )
    calibration: CalibrationOut
    shift: ShiftOut | None = Field(
        description="Whether the recent queries look less familiar than the support images do to"
        " each other: then nothing of this report may hold for them. null while too few were seen."
    )
