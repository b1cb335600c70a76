"""The report on a classifier whose images may have several labels, as JSON."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class LabelReport(BaseModel):
    """How well a label is found in images that have it, and in no others."""

    label: str
    n_images: int = Field(description="Images that have it.")
    threshold: float = Field(description="The probability from which on it is given.")
    precision: float | None = Field(
        description="Share of the images it is given to that have it, each judged by the others;"
        " null: it is given to none, or fewer than two have it."
    )
    recall: float | None = Field(
        description="Share of the images that have it that it is given to; null: fewer than two."
    )
    f1: float | None = Field(description="Harmonic mean of both; null: fewer than two have it.")
    average_precision: float | None = Field(
        description="Mean precision over thresholds: how high images that have it are ranked above"
        " those that do not; null: fewer than two have it."
    )


class LabelsReportOut(BaseModel):
    """What a classifier's own images say of its labels, each left out with all its labels."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "classifier": "street",
                    "n_classes": 1,
                    "n_images": 12,
                    "n_negatives": 0,
                    "labels_an_image": 1.5,
                    "examined": 12,
                    "mean_average_precision": 0.81,
                    "f1": 0.74,
                    "classes": [
                        {
                            "label": "bicycle",
                            "n_images": 8,
                            "threshold": 0.38,
                            "precision": 0.78,
                            "recall": 0.88,
                            "f1": 0.82,
                            "average_precision": 0.81,
                        }
                    ],
                }
            ]
        }
    )

    classifier: str
    n_classes: int
    n_images: int = Field(description="Images, each once, however many labels it has.")
    n_negatives: int = Field(description="Explicit negatives (`not-these`): images of no label.")
    labels_an_image: float | None = Field(
        description="Mean number of labels of an image; null: there are none."
    )
    examined: int = Field(
        description="Images that were left out: all, or of more than 2048 as many of each class as"
        " of another; negatives among them."
    )
    mean_average_precision: float | None = Field(
        description="Mean of the classes' average precisions; null: no class has two images."
    )
    f1: float | None = Field(
        description="F1 over all classes and images together; null: no class has two images."
    )
    classes: list[LabelReport] = Field(description="In the order of their registration.")
